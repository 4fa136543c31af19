# The grants of access.yaml: to each service account its own, and to every operator the operator's.
locals {
  # Of every feed there is, and not of those that are switched on: to switch one on would replace the grants of those that
  # run, which would be refused for minutes.
  folders        = [for feed in local.known_feeds : "${feed}/"]
  stream_folders = [for stream in local.stream_feeds : "${stream}/"]

  grantees = merge(
    { for name, needs in local.access.identities : name => { member = google_service_account.this[name].member, needs = needs } },
    { for member in var.operators : member => { member = member, needs = local.access.operator } },
  )

  project_grants = merge([
    for name, one in local.grantees : { for role in try(one.needs.project, []) : "${name} ${role}" => { member = one.member, role = role } }
  ]...)

  dataset_grants = merge([
    for name, one in local.grantees : { for role in try(one.needs.dataset, []) : "${name} ${role}" => { member = one.member, role = role } }
  ]...)

  # The folders of streams are a grant of their own: a condition has 12 logical operators at the most.
  bucket_grants = merge(flatten([
    for name, one in local.grantees : [
      for role, prefixes in try(one.needs.bucket, {}) : {
        for title, folders in {
          "its own folders" = flatten([for prefix in prefixes : prefix == "<feeds>" ? local.folders : contains(["", "<streams>"], prefix) ? [] : [prefix]])
          "its streams"     = contains(prefixes, "<streams>") ? local.stream_folders : []
        } : title == "its streams" ? "${name} ${role} streams" : "${name} ${role}" => { member = one.member, role = role, title = title, prefixes = folders }
        # A grant without folders is one on the whole bucket, which only the empty prefix asks for.
        if length(folders) > 0 || (title == "its own folders" && contains(prefixes, ""))
      }
    ]
  ])...)

  topic_grants = merge([
    for name, one in local.grantees : { for topic in try(one.needs.topics, []) : "${name} ${topic}" => { member = one.member, topic = topic } }
  ]...)

  subscription_grants = merge([
    for name, one in local.grantees : { for subscription in try(one.needs.subscriptions, []) : "${name} ${subscription}" => { member = one.member, subscription = subscription } }
  ]...)

  secret_grants = merge([
    for name, one in local.grantees : { for role in try(one.needs.secret, []) : "${name} ${role}" => { member = one.member, role = role } }
  ]...)

  secops_grants = merge([
    for name, one in local.grantees : { for role in try(one.needs.secops, []) : "${name} ${role}" => { member = one.member, role = role } }
  ]...)

  # Of operators alone: `service role`, by the service of the topology, and roles on the job that makes tables.
  service_grants = merge([
    for name, one in local.grantees : merge([
      for service, roles in try(one.needs.services, {}) : { for role in roles : "${name} ${service} ${role}" => { member = one.member, service = service, role = role } }
    ]...)
  ]...)

  job_grants = merge([
    for name, one in local.grantees : { for role in try(one.needs.job, []) : "${name} ${role}" => { member = one.member, role = role } }
  ]...)

  # A role of ours is known by its full name, one of Google's by `roles/`.
  own_roles = { for id, role in google_project_iam_custom_role.this : id => role.name }
}

resource "google_project_iam_custom_role" "this" {
  for_each = { for id, role in local.access.custom_roles : id => role if !can(role.secops) || local.secops }

  # A custom role counts only in its own project, and a SecOps instance may be bound to another one.
  project     = can(each.value.secops) ? local.secops_project : var.project_id
  role_id     = "${replace(var.prefix, "-", "_")}${each.key}"
  title       = each.value.title
  description = each.value.description
  permissions = each.value.permissions

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "this" {
  for_each = local.project_grants

  project = var.project_id
  role    = each.value.role
  member  = each.value.member

  depends_on = [time_sleep.accounts]
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = local.bucket_grants

  bucket = google_storage_bucket.landing.name
  role   = each.value.role
  member = each.value.member

  dynamic "condition" {
    for_each = length(each.value.prefixes) > 0 ? [each.value.prefixes] : []

    content {
      title = each.value.title
      expression = join(" || ", [
        for prefix in condition.value :
        "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.landing.name}/objects/${prefix}\")"
      ])
    }
  }

  depends_on = [time_sleep.accounts]
}

resource "google_pubsub_topic_iam_member" "this" {
  for_each = local.topic_grants

  project = var.project_id
  topic   = google_pubsub_topic.this[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member

  depends_on = [time_sleep.accounts]
}

resource "google_pubsub_subscription_iam_member" "this" {
  for_each = local.subscription_grants

  project      = var.project_id
  subscription = google_pubsub_subscription.this[each.value.subscription].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member

  depends_on = [time_sleep.accounts]
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each = local.secret_grants

  project   = var.project_id
  secret_id = google_secret_manager_secret.vt_api_key.id
  role      = each.value.role
  member    = each.value.member

  depends_on = [time_sleep.accounts]
}

resource "google_project_iam_member" "secops" {
  for_each = local.secops ? local.secops_grants : {}

  project = local.secops_project
  role    = google_project_iam_custom_role.this[each.value.role].name
  member  = each.value.member

  depends_on = [time_sleep.accounts]
}
