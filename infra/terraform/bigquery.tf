# Who may do what in the dataset. All of it is part of the dataset itself and is set in one call: BigQuery takes 5 changes of a
# dataset in 10 seconds, so grants one by one would be refused. What is granted here by hand is taken away again by the next
# apply; `analysts` is the place for it.
locals {
  # BigQuery answers with these names for its own roles, whichever name it was given.
  basic_roles = { "roles/bigquery.dataViewer" = "READER", "roles/bigquery.dataEditor" = "WRITER" }

  dataset_access = [
    for one in concat(values(local.dataset_grants), [for member in var.analysts : { member = member, role = "roles/bigquery.dataViewer" }]) : {
      role   = try(local.own_roles[one.role], local.basic_roles[one.role])
      kind   = split(":", one.member)[0]
      member = one.member
      email  = trimprefix(trimprefix(trimprefix(one.member, "user:"), "serviceAccount:"), "group:")
    }
  ]
}

# Tables and views are made by `gti-mesh provision`, from the declaration that the services load and merge by.
resource "google_bigquery_dataset" "this" {
  project     = var.project_id
  dataset_id  = local.dataset
  location    = var.location
  labels      = local.labels
  description = "VirusTotal feeds, minute by minute, kept by gti-mesh."

  # The longest there is: seven days to go back to what a table was.
  max_time_travel_hours      = "168"
  storage_billing_model      = var.storage_billing_model
  delete_contents_on_destroy = false

  # The project's owners, who would else have no way in; its other members have none.
  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }

  dynamic "access" {
    for_each = local.dataset_access

    content {
      role           = access.value.role
      user_by_email  = contains(["user", "serviceAccount"], access.value.kind) ? access.value.email : null
      group_by_email = access.value.kind == "group" ? access.value.email : null
      # Members of a workforce or workload pool, which BigQuery takes by this name only.
      iam_member = contains(["principal", "principalSet"], access.value.kind) ? access.value.member : null
    }
  }

  dynamic "default_encryption_configuration" {
    for_each = local.encrypted ? [var.keys.data] : []

    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [time_sleep.accounts, time_sleep.keys]

  lifecycle {
    prevent_destroy = true
  }
}
