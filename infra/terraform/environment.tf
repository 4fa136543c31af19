# The settings of shared/runtime/settings.py and services/*/settings.py, from the variables. What is null is left out, so that
# the default in the code holds.
locals {
  mesh_environment = {
    GCP_PROJECT    = var.project_id
    LANDING_BUCKET = local.bucket
    BQ_DATASET     = local.dataset
    NAME_PREFIX    = var.prefix

    THREAT_LISTS_LAG_MINUTES = var.threat_lists_lag_minutes
    FEEDS                    = join(",", var.feeds)
    STREAMS_TO_BIGQUERY      = length(var.streams_to_bigquery) > 0 ? join(",", var.streams_to_bigquery) : null
  }

  virustotal_environment = {
    VT_API_KEY_SECRET         = local.secret
    VT_API_KEY_SECRET_VERSION = var.vt_api_key_version
  }

  # So that the last failed delivery of a message says in the dead letter why.
  attempts = { for name, one in local.pushes : one.push.service => one.dead_letter.max_attempts... if can(one.dead_letter) }

  secops_environment = merge(local.virustotal_environment, {
    MAX_DELIVERY_ATTEMPTS    = max(local.attempts["secops-import"]...)
    STREAMS                  = join(",", var.secops.streams)
    STREAMS_TO_SECOPS        = var.secops.streams_to_secops == null ? null : join(",", var.secops.streams_to_secops)
    SECOPS_FEEDS             = join(",", var.secops.feeds)
    VT_FILTERS               = var.secops.filters
    VT_ORDER                 = var.secops.order
    VT_DATE_FILTER           = var.secops.look_back
    VT_LIMIT                 = var.secops.page_size
    SECOND_LOOK_HOURS        = var.secops.second_look_hours
    RELATIONS                = join(",", var.secops.relations)
    RELATIONS_LIMIT          = var.secops.relations_limit
    DTM_REFS                 = var.secops.dtm_refs
    DTM_TRUNCATE             = var.secops.dtm_truncate
    ASM_PROJECTS             = join(",", var.secops.asm_projects)
    POLL_DEADLINE_SECONDS    = var.tuning.poll_deadline_seconds
    CHRONICLE_CUSTOMER_ID    = var.secops.customer_id
    CHRONICLE_PROJECT        = var.secops.project
    CHRONICLE_REGION         = var.secops.region
    CHRONICLE_HOST           = var.secops.host
    CHRONICLE_API_VERSION    = var.secops.api_version
    CHRONICLE_FORWARDER_ID   = var.secops.forwarder_id
    CHRONICLE_NAMESPACE      = var.secops.namespace
    USE_CASE_NAME            = var.secops.use_case
    SECOPS_CLEAN             = var.secops.clean
    SECOPS_MAX_REQUEST_BYTES = var.secops.max_request_bytes
    SECOPS_MAX_REQUEST_LOGS  = var.secops.max_request_logs

    CHRONICLE_LOG_TYPE_THREAT_LISTS = lookup(var.secops.log_types, "threat_lists", null)
  }, { for name, stream in local.streams : stream.log_type_variable => lookup(var.secops.log_types, name, null) })

  # What the commands for streams and SecOps read on an operator's machine; the key of VirusTotal is not among it.
  operator_secops_environment = {
    for variable, value in local.secops_environment : variable => tostring(value)
    if value != null && (startswith(variable, "CHRONICLE_") || contains(["STREAMS", "STREAMS_TO_SECOPS", "SECOPS_FEEDS", "USE_CASE_NAME", "SECOPS_CLEAN", "ASM_PROJECTS"], variable))
  }

  own_environment = {
    planner = { PLAN_BACK = var.plan_back_minutes }
    downloader = merge(local.virustotal_environment, {
      DOWNLOAD_DEADLINE_SECONDS = var.tuning.download_deadline_seconds
      MAX_DELIVERY_ATTEMPTS     = max(local.attempts["downloader"]...)
      MEMORY_LIMIT              = local.topology.services.downloader.memory
      THREAT_LISTS              = length(var.threat_lists) > 0 ? join(",", var.threat_lists) : null
    })
    loader      = { LOAD_DEADLINE_SECONDS = var.tuning.load_deadline_seconds, LOAD_JOBS_PER_SECOND = var.tuning.load_jobs_per_second, MAX_DELIVERY_ATTEMPTS = max(local.attempts["loader"]...) }
    loader-dead = { LOAD_DEADLINE_SECONDS = var.tuning.load_deadline_seconds, LOAD_JOBS_PER_SECOND = var.tuning.load_jobs_per_second, MAX_DELIVERY_ATTEMPTS = max(local.attempts["loader"]...) }
    merger = {
      MERGE_EVERY_MINUTES    = var.tuning.merge_every_minutes
      MERGE_DEADLINE_SECONDS = var.tuning.merge_deadline_seconds
      MERGE_MAX_LINES        = var.tuning.merge_max_lines
      MERGE_MAX_BYTES_BILLED = var.tuning.merge_max_bytes_billed
      FOLD_DEADLINE_SECONDS  = var.tuning.fold_deadline_seconds
      FOLD_MAX_BYTES_BILLED  = var.tuning.fold_max_bytes_billed
      FOLD_MIN_ROWS          = var.tuning.fold_min_rows
      FOLD_KEEP_HOURS        = var.tuning.fold_keep_hours
    }
    secops-poll   = local.secops_environment
    secops-import = local.secops_environment
    status-page   = { PAGE_SECONDS = var.tuning.page_seconds }
    provision     = { BQ_LOCATION = var.location, HISTORY_EXPIRY_DAYS = var.history_expiry_days }
  }

  # A service without settings of its own has those of the mesh.
  environment = {
    for name in concat(keys(local.topology.services), ["provision"]) : name => {
      for variable, value in merge(local.mesh_environment, lookup(local.own_environment, name, {})) : variable => tostring(value) if value != null
    }
  }
}
