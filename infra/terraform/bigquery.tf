# Tables and views are made by `gti-mesh provision`, from the declaration that the services load and merge by.
resource "google_bigquery_dataset" "this" {
  dataset_id  = var.dataset
  location    = var.location
  description = "VirusTotal feeds, minute by minute, kept by gti-mesh."

  # The longest there is: seven days to go back to what a table was.
  max_time_travel_hours      = "168"
  delete_contents_on_destroy = false

  depends_on = [google_project_service.this]

  lifecycle {
    prevent_destroy = true
  }
}
