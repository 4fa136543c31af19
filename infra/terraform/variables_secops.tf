variable "secops" {
  description = "The Google SecOps instance and its streams, as docs/secops.md has them; streams_to_secops unset means all of streams. Without a customer id nothing is forwarded, and the poll rests unless streams_to_bigquery has streams."
  type = object({
    customer_id       = optional(string, "")
    project           = optional(string)
    region            = optional(string)
    host              = optional(string)
    api_version       = optional(string)
    log_types         = optional(map(string), {})
    forwarder_id      = optional(string)
    namespace         = optional(string)
    use_case          = optional(string)
    clean             = optional(bool)
    max_request_bytes = optional(number)
    max_request_logs  = optional(number)
    streams           = optional(list(string), ["ioc_stream"])
    streams_to_secops = optional(list(string))
    feeds             = optional(list(string), [])
    filters           = optional(string)
    order             = optional(string)
    look_back         = optional(string)
    second_look_hours = optional(number)
    page_size         = optional(number)
    relations         = optional(list(string), [])
    relations_limit   = optional(number)
    dtm_refs          = optional(bool)
    dtm_truncate      = optional(number)
    asm_projects      = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^([0-9a-fA-F-]{36})?$", var.secops.customer_id))
    error_message = "A customer id is a UUID, or nothing for no forwarder."
  }

  validation {
    condition     = alltrue([for stream in var.secops.streams : contains(local.known_streams, stream)])
    error_message = "A stream is one of shared/streams/streams.yaml: ${join(", ", local.known_streams)}."
  }

  validation {
    condition = var.secops.customer_id == "" || alltrue([
      for stream in coalesce(var.secops.streams_to_secops, var.secops.streams) : can(regex("^[A-Z][A-Z0-9_]*$", lookup(var.secops.log_types, stream, "")))
    ])
    error_message = "Each stream needs a log type in log_types: GCP_THREATINTEL for ioc_stream, MANDIANT_DTM_ALERTS for dtm_alerts, MANDIANT_ASM_ISSUE for asm_issues, or a log type of your tenant's own, whose name ends in _CUSTOM. docs/secops.md begins with this choice."
  }

  validation {
    condition     = alltrue([for stream in var.streams_to_bigquery : contains(var.secops.streams, stream)])
    error_message = "A stream of streams_to_bigquery is also named in secops.streams, so that it is collected."
  }

  validation {
    condition     = alltrue([for stream in coalesce(var.secops.streams_to_secops, []) : contains(var.secops.streams, stream)])
    error_message = "A stream of streams_to_secops is also named in streams, so that it is collected."
  }

  validation {
    condition = var.secops.customer_id == "" || alltrue([
      for stream in var.secops.streams : contains(concat(coalesce(var.secops.streams_to_secops, var.secops.streams), var.streams_to_bigquery), stream)
    ])
    error_message = "A stream goes to SecOps or into BigQuery: name it in streams_to_secops or streams_to_bigquery, or take it out of streams."
  }

  validation {
    condition     = alltrue([for name in keys(var.secops.log_types) : contains(concat(local.known_streams, ["threat_lists"]), name)])
    error_message = "A key of log_types is a stream of shared/streams/streams.yaml, or threat_lists: ${join(", ", local.known_streams)}."
  }

  validation {
    condition     = alltrue([for feed in var.secops.feeds : feed == "threat_lists"])
    error_message = "The only feed whose landings can be sent to SecOps is threat_lists."
  }

  validation {
    condition     = alltrue([for feed in var.secops.feeds : contains(var.feeds, feed)])
    error_message = "Of a feed in secops.feeds only hours that land are sent, so it has to be in feeds too."
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
    condition     = try(var.secops.second_look_hours >= 0 && var.secops.second_look_hours <= 168, var.secops.second_look_hours == null)
    error_message = "A second look goes back 0 (never) to 168 hours."
  }

  validation {
    condition     = try(var.secops.page_size >= 1 && var.secops.page_size <= 40, var.secops.page_size == null)
    error_message = "A page has 1 to 40 notifications."
  }

  validation {
    condition     = length(var.secops.relations) <= 3 && try(var.secops.relations_limit >= 1 && var.secops.relations_limit <= 40, var.secops.relations_limit == null)
    error_message = "At most 3 relations of a collection, with 1 to 40 objects of each: each relation costs a request per collection."
  }

  validation {
    condition     = alltrue([for project in var.secops.asm_projects : can(regex("^[A-Za-z0-9_-]{1,64}$", project))])
    error_message = "An ASM project is written as its id, for example 10101."
  }

  validation {
    condition     = try(var.secops.dtm_truncate >= 1, var.secops.dtm_truncate == null)
    error_message = "Documents of alerts are cut to at least 1 character."
  }
}
