# What an organisation may demand: docs/organisation-policies.md says which policy asks for which.

variable "secret_locations" {
  description = "Regions that the key's secret is kept in; [] leaves it to Google, which some organisations forbid."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for region in var.secret_locations : can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", region))])
    error_message = "A region is written like us-central1."
  }
}

variable "message_regions" {
  description = "Regions that Pub/Sub may keep messages in; [] leaves it to Google and to the organisation's policy."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for region in var.message_regions : can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", region))])
    error_message = "A region is written like us-central1."
  }
}

variable "keys" {
  description = "Keys of your own in Cloud KMS: data for bucket and dataset, in their location; services for topics, secret, image and services, in the region. Both or neither."
  type = object({
    data     = optional(string)
    services = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = (var.keys.data == null) == (var.keys.services == null)
    error_message = "Give both keys or neither."
  }

  validation {
    condition = alltrue([
      for key in [var.keys.data, var.keys.services] : try(can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", key)), false) || key == null
    ])
    error_message = "A key is written projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }

  validation {
    condition     = var.keys.services == null || try(split("/", var.keys.services)[3] == var.region, false)
    error_message = "The key for services lies in the region of the services."
  }

  validation {
    # The multi-regions of Cloud KMS are us and europe.
    condition     = var.keys.data == null || try(split("/", var.keys.data)[3] == lookup({ EU = "europe", US = "us" }, var.location, var.location), false)
    error_message = "The key for data lies where bucket and dataset do: in us, europe or their region."
  }
}

variable "status_page_ingress" {
  description = "From where the status page can be reached at all; who may open it is decided by IAM in any case."
  type        = string
  default     = "INGRESS_TRAFFIC_ALL"
  nullable    = false

  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"], var.status_page_ingress)
    error_message = "INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_ONLY or INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER."
  }
}

variable "cloud_build" {
  description = "Whether Cloud Build makes the image: an account for it, which may do what roles/cloudbuild.builds.builder holds."
  type        = bool
  default     = false
  nullable    = false
}

variable "budget" {
  description = "A budget for the project: the billing account, whole units of its currency a month, and at which shares of it alert_emails and the bill's administrators are told."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string)
    thresholds      = optional(list(number), [0.5, 0.9, 1])
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "A billing account is written 012345-6789AB-CDEF01."
  }

  validation {
    condition     = var.budget == null || try(var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount, false)
    error_message = "A budget is a whole number of units of the currency, at least 1."
  }

  validation {
    condition     = var.budget == null || try(length(var.budget.thresholds) > 0 && alltrue([for share in var.budget.thresholds : share > 0]), false)
    error_message = "A threshold is a share of the budget: 0.5, 0.9, 1."
  }
}
