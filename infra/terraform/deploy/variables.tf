# The variables of the module, which says what each means, checks it and has its default (../variables*.tf). What is null
# here is the module's default.

variable "project_id" {
  type = string
}

variable "prefix" {
  type    = string
  default = null
}

variable "region" {
  type    = string
  default = null
}

variable "location" {
  type    = string
  default = null
}

variable "image" {
  type = string
}

variable "traffic" {
  type    = map(map(number))
  default = null
}

variable "labels" {
  type    = map(string)
  default = null
}

variable "deletion_protection" {
  type    = bool
  default = null
}

variable "landing_bucket" {
  type    = string
  default = null
}

variable "dataset" {
  type    = string
  default = null
}

variable "landing_days" {
  type    = number
  default = null
}

variable "history_expiry_days" {
  type    = number
  default = null
}

variable "storage_billing_model" {
  type    = string
  default = null
}

variable "feeds" {
  type    = list(string)
  default = null
}

variable "streams_to_bigquery" {
  type    = list(string)
  default = null
}

variable "plan_back_minutes" {
  type    = number
  default = null
}

variable "threat_lists" {
  type    = list(string)
  default = null
}

variable "threat_lists_lag_minutes" {
  type    = number
  default = null
}

variable "vt_api_key_secret" {
  type    = string
  default = null
}

variable "vt_api_key_version" {
  type    = string
  default = null
}

variable "tuning" {
  type    = any
  default = null
}

variable "secops" {
  type    = any
  default = null
}

variable "operators" {
  type    = list(string)
  default = null
}

variable "analysts" {
  type    = list(string)
  default = null
}

variable "alert_emails" {
  type    = set(string)
  default = null
}

variable "notification_channels" {
  type    = set(string)
  default = null
}

variable "docs_url" {
  type    = string
  default = null
}

variable "secret_locations" {
  type    = list(string)
  default = null
}

variable "message_regions" {
  type    = list(string)
  default = null
}

variable "keys" {
  type    = any
  default = null
}

variable "status_page_ingress" {
  type    = string
  default = null
}

variable "cloud_build" {
  type    = bool
  default = null
}

variable "budget" {
  type    = any
  default = null
}
