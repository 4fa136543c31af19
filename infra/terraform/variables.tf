# Where the mesh lives.

variable "project_id" {
  description = "The Google Cloud project that everything is made in. One environment is one project: names are fixed."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Region of the services, the schedules and the image, for example europe-west3."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "A region is written like us-central1."
  }
}

variable "location" {
  description = "Where bucket and dataset lie: US, EU or one region. Load jobs need both in one place, and a dataset never moves."
  type        = string
  default     = "US"

  validation {
    condition     = can(regex("^(US|EU|[a-z]+-[a-z]+[0-9]{1,2})$", var.location))
    error_message = "A location is US, EU, or a region written like europe-west3."
  }
}

variable "image" {
  description = "The container image of every service, by digest where you can: REGION-docker.pkg.dev/PROJECT/gti-mesh/gti-mesh@sha256:..."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+/[a-zA-Z0-9._/-]+(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?$", var.image))
    error_message = "An image is written HOST/PATH:TAG or HOST/PATH@sha256:DIGEST."
  }

  validation {
    condition     = !endswith(var.image, ":latest") && can(regex("[:@]", var.image))
    error_message = "Name a tag or a digest, and not `latest`: Cloud Run deploys again only when the name has changed."
  }
}

variable "labels" {
  description = "Labels on everything that takes labels, beside app=gti-mesh."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have up to 63 lower-case letters, digits, hyphens and underscores; a name begins with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether services and the job refuse to be destroyed. Bucket, dataset and secret always do."
  type        = bool
  default     = true
}

# What it keeps.

variable "landing_bucket" {
  description = "Name of the bucket for packages and state; unset: PROJECT-gti-mesh-landing."
  type        = string
  default     = null

  validation {
    condition     = var.landing_bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.landing_bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, hyphens, underscores and dots."
  }
}

variable "dataset" {
  description = "The BigQuery dataset."
  type        = string
  default     = "vt_feeds"

  validation {
    condition     = can(regex("^[A-Za-z0-9_]+$", var.dataset))
    error_message = "A dataset's name has letters, digits and underscores."
  }
}

variable "landing_days" {
  description = "Days after which landed packages leave the bucket; rows stay. Rejects, state and stream pages are never deleted."
  type        = number
  default     = 30

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
}

# The feeds.

variable "feeds" {
  description = "The feeds that are switched on; [] switches them off, and pauses their schedules."
  type        = list(string)
  default     = ["domains"]

  validation {
    condition     = alltrue([for feed in var.feeds : contains(local.known_feeds, feed)])
    error_message = "A feed is one of the files of shared/feeds: ${join(", ", local.known_feeds)}."
  }

  validation {
    condition     = length(distinct(var.feeds)) == length(var.feeds)
    error_message = "A feed is named once."
  }
}

variable "plan_back_minutes" {
  description = "Minutes back at which the very first run of a feed begins."
  type        = number
  default     = 0

  validation {
    # The source keeps 7 days, of which 61 minutes are not due yet.
    condition     = var.plan_back_minutes >= 0 && var.plan_back_minutes < 7 * 24 * 60 - 61
    error_message = "From 0 to 10018 minutes: the source keeps 7 days."
  }
}

variable "vt_api_key_secret" {
  description = "Name of the secret, made here and filled by you, that holds the VirusTotal API key."
  type        = string
  default     = "vt-api-key"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.vt_api_key_secret))
    error_message = "A secret's name has letters, digits, hyphens and underscores."
  }
}

variable "vt_api_key_version" {
  description = "Version of that secret. With `latest` a new key is taken without a deployment."
  type        = string
  default     = "latest"

  validation {
    condition     = can(regex("^(latest|[1-9][0-9]*)$", var.vt_api_key_version))
    error_message = "A version is a number or `latest`."
  }
}

variable "tuning" {
  description = "Limits that the services have good defaults for: seconds that one piece of work may take, what one statement of a merge may bill, how often the status page reads the mesh."
  type = object({
    download_deadline_seconds = optional(number)
    load_deadline_seconds     = optional(number)
    merge_deadline_seconds    = optional(number)
    merge_max_bytes_billed    = optional(number)
    poll_deadline_seconds     = optional(number)
    page_seconds              = optional(number)
  })
  default = {}

  validation {
    # The ack deadline of a push is 600 s, and a schedule waits 1800 s at most.
    condition = alltrue([
      for seconds in [var.tuning.download_deadline_seconds, var.tuning.load_deadline_seconds, var.tuning.poll_deadline_seconds] :
      try(seconds >= 1 && seconds <= 590, seconds == null)
    ])
    error_message = "Download, load and poll take from 1 to 590 seconds."
  }

  validation {
    condition     = try(var.tuning.merge_deadline_seconds >= 1 && var.tuning.merge_deadline_seconds <= 1500, var.tuning.merge_deadline_seconds == null)
    error_message = "A merge takes from 1 to 1500 seconds."
  }

  validation {
    condition     = try(var.tuning.merge_max_bytes_billed >= 10 * 1024 * 1024, var.tuning.merge_max_bytes_billed == null)
    error_message = "BigQuery bills at least 10 MiB a query; a smaller limit would refuse every merge."
  }

  validation {
    condition     = try(var.tuning.page_seconds >= 1 && var.tuning.page_seconds <= 3600, var.tuning.page_seconds == null)
    error_message = "The page reads the mesh every 1 to 3600 seconds."
  }
}
