# Keys of one's own (CMEK), where an organisation asks for them: `data` for bucket and dataset, in their location;
# `services` for topics, secret, repository and services, in the region.
locals {
  encrypted = var.keys.data != null

  key_users = local.encrypted ? merge(
    {
      storage  = { key = var.keys.data, member = data.google_storage_project_service_account.this[0].member }
      bigquery = { key = var.keys.data, member = data.google_bigquery_default_service_account.this[0].member }
    },
    { for service, one in google_project_service_identity.this : service => { key = var.keys.services, member = one.member } },
  ) : {}
}

# To ask for these two accounts is what makes them.
data "google_storage_project_service_account" "this" {
  count = local.encrypted ? 1 : 0

  project = var.project_id

  depends_on = [time_sleep.apis]
}

data "google_bigquery_default_service_account" "this" {
  count = local.encrypted ? 1 : 0

  project = var.project_id

  depends_on = [time_sleep.apis]
}

resource "google_kms_crypto_key_iam_member" "this" {
  for_each = local.key_users

  crypto_key_id = each.value.key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value.member

  depends_on = [time_sleep.accounts]
}

# Until the grant has reached Cloud KMS, what is made with the key is refused.
resource "time_sleep" "keys" {
  count = local.encrypted ? 1 : 0

  create_duration = "120s"
  triggers        = { keys = "${var.keys.data} ${var.keys.services}" }

  depends_on = [google_kms_crypto_key_iam_member.this]
}
