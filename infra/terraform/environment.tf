# The settings of shared/settings.py and services/*/settings.py, from the variables. What is null is left out, so that
# the default in the code holds.
locals {
  mesh_environment = {
    GCP_PROJECT    = var.project_id
    LANDING_BUCKET = local.bucket
    BQ_DATASET     = var.dataset
    FEEDS          = join(",", var.feeds)
  }

  virustotal_environment = {
    VT_API_KEY_SECRET         = var.vt_api_key_secret
    VT_API_KEY_SECRET_VERSION = var.vt_api_key_version
  }

  secops_environment = merge(local.virustotal_environment, {
    STREAMS                  = join(",", var.secops.streams)
    VT_FILTERS               = var.secops.filters
    VT_ORDER                 = var.secops.order
    VT_DATE_FILTER           = var.secops.look_back
    VT_LIMIT                 = var.secops.page_size
    POLL_DEADLINE_SECONDS    = var.tuning.poll_deadline_seconds
    CHRONICLE_CUSTOMER_ID    = var.secops.customer_id
    CHRONICLE_PROJECT        = var.secops.project
    CHRONICLE_REGION         = var.secops.region
    CHRONICLE_HOST           = var.secops.host
    CHRONICLE_API_VERSION    = var.secops.api_version
    CHRONICLE_LOG_TYPE       = var.secops.log_type
    CHRONICLE_FORWARDER_ID   = var.secops.forwarder_id
    CHRONICLE_NAMESPACE      = var.secops.namespace
    USE_CASE_NAME            = var.secops.use_case
    SECOPS_CLEAN             = var.secops.clean
    SECOPS_MAX_REQUEST_BYTES = var.secops.max_request_bytes
    SECOPS_MAX_REQUEST_LOGS  = var.secops.max_request_logs
  })

  own_environment = {
    planner       = { PLAN_BACK = var.plan_back_minutes }
    downloader    = merge(local.virustotal_environment, { DOWNLOAD_DEADLINE_SECONDS = var.tuning.download_deadline_seconds })
    loader        = { LOAD_DEADLINE_SECONDS = var.tuning.load_deadline_seconds }
    loader-dead   = { LOAD_DEADLINE_SECONDS = var.tuning.load_deadline_seconds }
    merger        = { MERGE_DEADLINE_SECONDS = var.tuning.merge_deadline_seconds, MERGE_MAX_BYTES_BILLED = var.tuning.merge_max_bytes_billed }
    secops-poll   = local.secops_environment
    secops-import = local.secops_environment
    console       = { PAGE_SECONDS = var.tuning.page_seconds }
    provision     = { BQ_LOCATION = var.location, HISTORY_EXPIRY_DAYS = var.history_expiry_days }
  }

  environment = {
    for name, own in local.own_environment : name => {
      for variable, value in merge(local.mesh_environment, own) : variable => tostring(value) if value != null
    }
  }
}
