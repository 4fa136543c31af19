variable "secops" {
  description = "The Google SecOps instance and its streams, as docs/secops.md has them; without a customer id the forwarder is off and its schedule paused."
  type = object({
    customer_id       = optional(string, "")
    project           = optional(string)
    region            = optional(string)
    host              = optional(string)
    api_version       = optional(string)
    log_type          = optional(string)
    forwarder_id      = optional(string)
    namespace         = optional(string)
    use_case          = optional(string)
    clean             = optional(bool)
    max_request_bytes = optional(number)
    max_request_logs  = optional(number)
    streams           = optional(list(string), ["ioc_stream"])
    filters           = optional(string)
    order             = optional(string)
    look_back         = optional(string)
    page_size         = optional(number)
  })
  default = {}

  validation {
    condition     = can(regex("^([0-9a-fA-F-]{36})?$", var.secops.customer_id))
    error_message = "A customer id is a UUID, or nothing for no forwarder."
  }

  validation {
    condition     = alltrue([for stream in var.secops.streams : contains(local.known_streams, stream)])
    error_message = "A stream is one of shared/streams.yaml: ${join(", ", local.known_streams)}."
  }

  validation {
    condition     = try(can(regex("^https://[^/ ]+$", var.secops.host)), false) || var.secops.host == null
    error_message = "A host is written https://{region}-chronicle.googleapis.com, {region} included."
  }

  validation {
    condition     = try(can(regex("^-?[0-9]{1,5}[mhdw]$", var.secops.look_back)), false) || var.secops.look_back == null
    error_message = "A look-back is written -1d, -12h or -90m."
  }

  validation {
    condition     = try(var.secops.page_size >= 1 && var.secops.page_size <= 40, var.secops.page_size == null)
    error_message = "A page has 1 to 40 notifications."
  }
}
