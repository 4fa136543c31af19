output "repository" {
  value = module.mesh.repository
}

output "environment" {
  value = module.mesh.environment
}

output "services" {
  value = module.mesh.services
}

output "status_page" {
  value = module.mesh.status_page
}

output "service_accounts" {
  value = module.mesh.service_accounts
}

output "secret" {
  value = module.mesh.secret
}

output "next_steps" {
  value = module.mesh.next_steps
}
