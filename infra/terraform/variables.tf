# Where the mesh lives.

variable "project_id" {
  description = "The Google Cloud project that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "prefix" {
  description = "Begins every name, so that a project can hold several meshes: `eu-`. It is for good, as names are."
  type        = string
  default     = ""
  nullable    = false

  validation {
    # The longest name of a service account is 30 characters, and gti-mesh-secops-import has 22.
    condition     = can(regex("^([a-z][a-z0-9]{0,6}-)?$", var.prefix))
    error_message = "A prefix has up to 7 lower-case letters and digits and ends with a hyphen: eu-."
  }
}

variable "region" {
  description = "Region of the services, the schedules and the image, for example europe-west3."
  type        = string
  default     = "us-central1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "A region is written like us-central1."
  }
}

variable "location" {
  description = "Where bucket and dataset lie: US, EU or one region. Load jobs need both in one place, and a dataset never moves."
  type        = string
  default     = "US"
  nullable    = false

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

variable "traffic" {
  description = "Shares of the traffic by service and revision, for a canary or a rollback: { downloader = { LATEST = 10, downloader-00041-abc = 90 } }. What is not named gives all to its latest revision."
  type        = map(map(number))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for service, shares in var.traffic : contains(keys(local.topology.services), service)])
    error_message = "A service is one of infra/topology.yaml: ${join(", ", keys(local.topology.services))}."
  }

  validation {
    condition     = alltrue([for shares in values(var.traffic) : sum(concat([0], values(shares))) == 100 && alltrue([for share in values(shares) : share >= 0 && floor(share) == share])])
    error_message = "The shares of a service are whole percents and make 100 together."
  }
}

variable "labels" {
  description = "Labels on everything that takes labels, in addition to app, mesh and component."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", name)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have up to 63 lower-case letters, digits, hyphens and underscores; a name begins with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether services and the job refuse to be destroyed. Bucket, dataset and secret always do."
  type        = bool
  default     = true
  nullable    = false
}
