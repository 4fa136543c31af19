output "repository" {
  description = "Where the image is pushed to, before TAG."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.this.repository_id}/gti-mesh"
}

output "environment" {
  description = "What the gti-mesh command reads on an operator's machine; print it with `terraform output -json environment`."
  value = merge(local.environment["provision"], local.virustotal_environment, local.polls ? local.operator_secops_environment : {}, {
    LOG_FORMAT          = "text"
    GCP_REGION          = var.region
    THREAT_LISTS        = join(",", var.threat_lists)
    MERGE_EVERY_MINUTES = tostring(local.merge_every)
  })
}

output "services" {
  description = "The address of every service."
  value       = { for name, service in google_cloud_run_v2_service.this : name => service.uri }
}

output "status_page" {
  description = "The status page; `gcloud run services proxy SERVICE --region REGION` opens it for an operator."
  value       = google_cloud_run_v2_service.this["status-page"].uri
}

output "service_accounts" {
  description = "The service account of every service, for a grant in another project."
  value       = { for name, account in google_service_account.this : name => account.email }
}

output "secret" {
  description = "The secret that waits for the VirusTotal API key as its first version."
  value       = google_secret_manager_secret.vt_api_key.secret_id
}

output "next_steps" {
  description = "What a first apply leaves to do."
  value = [
    "gcloud secrets versions add ${google_secret_manager_secret.vt_api_key.secret_id} --project ${var.project_id} --data-file=-",
    "gcloud run jobs execute ${google_cloud_run_v2_job.provision.name} --project ${var.project_id} --region ${var.region} --wait",
  ]
}
