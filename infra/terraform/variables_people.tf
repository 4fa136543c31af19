# Who looks after it.

variable "operators" {
  description = "Who may use the gti-mesh command on this mesh and see its status page, as IAM members: group:soc@example.org."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount|principal|principalSet):.+$", member))])
    error_message = "A member is written user:NAME, group:NAME or serviceAccount:NAME; allUsers and allAuthenticatedUsers are refused."
  }
}

variable "analysts" {
  description = "Who may read the dataset, as IAM members. A grant on the dataset by hand is taken away by the next apply."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.analysts : can(regex("^(user|group|serviceAccount|principal|principalSet):.+$", member))])
    error_message = "A member is written user:NAME, group:NAME or serviceAccount:NAME; allUsers and allAuthenticatedUsers are refused."
  }
}

variable "alert_emails" {
  description = "Addresses that alerts are sent to."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "An address is written name@example.org."
  }
}

variable "notification_channels" {
  description = "Channels of Cloud Monitoring that exist already, as projects/PROJECT/notificationChannels/NUMBER."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "A channel is written projects/PROJECT/notificationChannels/NUMBER."
  }
}

variable "docs_url" {
  description = "Where your copy of docs/ can be read, without a slash at the end; alerts link to its operations.md. Unset: they name the page."
  type        = string
  default     = null

  validation {
    condition     = var.docs_url == null || can(regex("^https://[^ ]+[^/ ]$", var.docs_url))
    error_message = "An address is written https://HOST/PATH, without a slash at the end."
  }
}
