"""What the mesh runs on: the topology, the cloud (Terraform) and the same cloud on one machine."""
