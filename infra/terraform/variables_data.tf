# What it keeps.

variable "landing_bucket" {
  description = "Name of the bucket for packages and state; unset: PROJECT-PREFIXgti-mesh-landing."
  type        = string
  default     = null

  validation {
    condition     = var.landing_bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.landing_bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, hyphens, underscores and dots."
  }
}

variable "dataset" {
  description = "The BigQuery dataset; unset: PREFIXvt_feeds, with an underscore."
  type        = string
  default     = null

  validation {
    condition     = var.dataset == null || can(regex("^[A-Za-z0-9_]+$", var.dataset))
    error_message = "A dataset's name has letters, digits and underscores."
  }
}

variable "landing_days" {
  description = "Days after which landed packages leave the bucket; rows stay. Rejects, state and stream pages are never deleted."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.landing_days >= 8 && floor(var.landing_days) == var.landing_days
    error_message = "At least 8 days: a minute is repaired from its landed object for as long as the source keeps it, which is 7."
  }
}

variable "history_expiry_days" {
  description = "Days after which a day of history expires; unset: never."
  type        = number
  default     = null

  validation {
    condition     = var.history_expiry_days == null || try(var.history_expiry_days >= 8 && floor(var.history_expiry_days) == var.history_expiry_days, false)
    error_message = "At least 8 days, or nothing for ever."
  }

  validation {
    condition     = var.history_expiry_days == null || try(var.history_expiry_days >= var.landing_days, false)
    error_message = "At least landing_days: a minute that is replayed from the bucket would expire as it is merged."
  }
}

variable "storage_billing_model" {
  description = "How BigQuery bills the dataset's storage: LOGICAL, or PHYSICAL, which pays when data compresses well (docs/cost.md). BigQuery takes a change once in 14 days."
  type        = string
  default     = "LOGICAL"
  nullable    = false

  validation {
    condition     = contains(["LOGICAL", "PHYSICAL"], var.storage_billing_model)
    error_message = "Storage is billed by LOGICAL or PHYSICAL bytes."
  }
}

# The feeds.

variable "feeds" {
  description = "The feeds that are switched on; [] switches them off, and pauses their schedules."
  type        = list(string)
  default     = ["domains"]
  nullable    = false

  validation {
    condition     = alltrue([for feed in var.feeds : contains(local.known_feeds, feed)])
    error_message = "A feed is one of the files of shared/feeds: ${join(", ", local.known_feeds)}."
  }

  validation {
    condition     = length(distinct(var.feeds)) == length(var.feeds)
    error_message = "A feed is named once."
  }
}

variable "streams_to_bigquery" {
  description = "The streams of secops.streams that also go into BigQuery, with or without a SecOps instance; [] for none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for stream in var.streams_to_bigquery : contains(local.stream_feeds, stream)])
    error_message = "A stream for BigQuery is one of ${join(", ", local.stream_feeds)}."
  }

  validation {
    condition     = length(distinct(var.streams_to_bigquery)) == length(var.streams_to_bigquery)
    error_message = "A stream is named once."
  }
}

variable "plan_back_minutes" {
  description = "Minutes back at which the very first run of a feed begins."
  type        = number
  default     = 0
  nullable    = false

  validation {
    # The source keeps 7 days, of which 61 minutes are not due yet.
    condition     = var.plan_back_minutes >= 0 && var.plan_back_minutes < 7 * 24 * 60 - 61
    error_message = "From 0 to 10018 minutes: the source keeps 7 days."
  }
}

variable "threat_lists" {
  description = "The threat lists to read, by their ids; [] means all that the key may read."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.threat_lists : can(regex("^[a-z0-9][a-z0-9_-]{0,63}$", name))])
    error_message = "A list is named by its id, as ransomware."
  }
}

variable "threat_lists_lag_minutes" {
  description = "Minutes after its first minute at which an hour of the threat lists is served; unset: the default in the code."
  type        = number
  default     = null

  validation {
    condition     = try(var.threat_lists_lag_minutes >= 60 && var.threat_lists_lag_minutes < 1440, var.threat_lists_lag_minutes == null)
    error_message = "From 60 to 1439 minutes."
  }
}

variable "vt_api_key_secret" {
  description = "Name of the secret, made here and filled by you, that holds the VirusTotal API key; unset: PREFIXvt-api-key."
  type        = string
  default     = null

  validation {
    condition     = var.vt_api_key_secret == null || can(regex("^[A-Za-z0-9_-]{1,255}$", var.vt_api_key_secret))
    error_message = "A secret's name has letters, digits, hyphens and underscores."
  }
}

variable "vt_api_key_version" {
  description = "Version of that secret. With `latest` a new key is taken without a deployment."
  type        = string
  default     = "latest"
  nullable    = false

  validation {
    condition     = can(regex("^(latest|[1-9][0-9]*)$", var.vt_api_key_version))
    error_message = "A version is a number or `latest`."
  }
}

variable "tuning" {
  description = "Limits that the services have good defaults for: seconds that one piece of work may take, what one statement of a merge or a fold may bill, how often merges run, how often the status page reads the mesh."
  type = object({
    download_deadline_seconds = optional(number)
    load_deadline_seconds     = optional(number)
    load_jobs_per_second      = optional(number)
    merge_every_minutes       = optional(number)
    merge_deadline_seconds    = optional(number)
    merge_max_lines           = optional(number)
    merge_max_bytes_billed    = optional(number)
    fold_deadline_seconds     = optional(number)
    fold_max_bytes_billed     = optional(number)
    fold_min_rows             = optional(number)
    fold_keep_hours           = optional(number)
    poll_deadline_seconds     = optional(number)
    page_seconds              = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    # The ack deadline of a push is 600 s, and a schedule waits 1800 s at most.
    condition = alltrue([
      for seconds in [var.tuning.download_deadline_seconds, var.tuning.load_deadline_seconds, var.tuning.poll_deadline_seconds] :
      try(seconds >= 1 && seconds <= 590, seconds == null)
    ])
    error_message = "Download, load and poll take from 1 to 590 seconds."
  }

  validation {
    condition     = contains([5, 10, 15, 30], coalesce(var.tuning.merge_every_minutes, 30))
    error_message = "Merges run every 5, 10, 15 or 30 minutes: a feed counts as stale after 150 minutes."
  }

  validation {
    condition = alltrue([
      for seconds in [var.tuning.merge_deadline_seconds, var.tuning.fold_deadline_seconds] :
      try(seconds >= 1 && seconds <= 1500, seconds == null)
    ])
    error_message = "The merges of a run, and a fold, take from 1 to 1500 seconds."
  }

  validation {
    condition     = try(var.tuning.merge_max_lines >= 1 && floor(var.tuning.merge_max_lines) == var.tuning.merge_max_lines, var.tuning.merge_max_lines == null)
    error_message = "A transaction of a merge moves at least one line."
  }

  validation {
    # A staging table takes 5 changes a second from all instances of the loader together.
    condition     = try(var.tuning.load_jobs_per_second > 0 && var.tuning.load_jobs_per_second <= 5 / local.topology.services.loader.instances.max, var.tuning.load_jobs_per_second == null)
    error_message = "All instances of the loader together may begin 5 load jobs of a table a second."
  }

  validation {
    condition = alltrue([
      for bytes in [var.tuning.merge_max_bytes_billed, var.tuning.fold_max_bytes_billed] :
      try(bytes >= 10 * 1024 * 1024, bytes == null)
    ])
    error_message = "BigQuery bills at least 10 MiB a query; a smaller limit would refuse every merge, and every fold."
  }

  validation {
    condition     = try(var.tuning.fold_min_rows >= 1 && floor(var.tuning.fold_min_rows) == var.tuning.fold_min_rows, var.tuning.fold_min_rows == null)
    error_message = "A fold takes at least one row."
  }

  validation {
    condition     = try(var.tuning.fold_keep_hours >= 0 && var.tuning.fold_keep_hours <= 48 && floor(var.tuning.fold_keep_hours) == var.tuning.fold_keep_hours, var.tuning.fold_keep_hours == null)
    error_message = "A fold leaves from 0 to 48 whole hours."
  }

  validation {
    condition     = try(var.tuning.page_seconds >= 1 && var.tuning.page_seconds <= 3600, var.tuning.page_seconds == null)
    error_message = "The page reads the mesh every 1 to 3600 seconds."
  }
}
