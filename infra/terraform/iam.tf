# The grants of access.yaml: to each service account its own, and to every operator the operator's.
locals {
  folders = [for feed in var.feeds : "${feed}/"]

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

  bucket_grants = merge([
    for name, one in local.grantees : {
      for role, prefixes in try(one.needs.bucket, {}) : "${name} ${role}" => {
        member   = one.member
        role     = role
        prefixes = flatten([for prefix in prefixes : prefix == "<feeds>" ? local.folders : prefix == "" ? [] : [prefix]])
        # With the feeds switched off there is no folder to write to.
        wanted = contains(prefixes, "") || !contains(prefixes, "<feeds>") || local.feeds
      }
    }
  ]...)

  topic_grants = merge([
    for name, one in local.grantees : { for topic in try(one.needs.topics, []) : "${name} ${topic}" => { member = one.member, topic = topic } }
  ]...)

  subscription_grants = merge([
    for name, one in local.grantees : { for subscription in try(one.needs.subscriptions, []) : "${name} ${subscription}" => { member = one.member, subscription = subscription } }
  ]...)

  # A role of ours is known by its full name, one of Google's by `roles/`.
  own_roles = { for id, role in google_project_iam_custom_role.this : id => role.name }
}

resource "google_project_iam_custom_role" "this" {
  for_each = { for id, role in local.access.custom_roles : id => role if id != "gtiMeshLogImporter" || local.secops }

  # A custom role counts only in its own project, and a SecOps instance may be bound to another one.
  project     = each.key == "gtiMeshLogImporter" ? local.secops_project : var.project_id
  role_id     = each.key
  title       = each.value.title
  description = each.value.description
  permissions = each.value.permissions

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "this" {
  for_each = local.project_grants

  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

resource "google_bigquery_dataset_iam_member" "this" {
  for_each = local.dataset_grants

  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = lookup(local.own_roles, each.value.role, each.value.role)
  member     = each.value.member
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = { for key, one in local.bucket_grants : key => one if one.wanted }

  bucket = google_storage_bucket.landing.name
  role   = each.value.role
  member = each.value.member

  dynamic "condition" {
    for_each = length(each.value.prefixes) > 0 ? [each.value.prefixes] : []

    content {
      title = "its own folders"
      expression = join(" || ", [
        for prefix in condition.value :
        "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.landing.name}/objects/${prefix}\")"
      ])
    }
  }
}

resource "google_pubsub_topic_iam_member" "this" {
  for_each = local.topic_grants

  topic  = google_pubsub_topic.this[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = each.value.member
}

resource "google_pubsub_subscription_iam_member" "this" {
  for_each = local.subscription_grants

  subscription = google_pubsub_subscription.this[each.value.subscription].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each = { for name, one in local.grantees : name => one.member if try(one.needs.secret, false) }

  secret_id = google_secret_manager_secret.vt_api_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

resource "google_project_iam_member" "secops" {
  for_each = { for name, one in local.grantees : name => one.member if local.secops && can(one.needs.secops) }

  project = local.secops_project
  role    = google_project_iam_custom_role.this["gtiMeshLogImporter"].name
  member  = each.value
}
