terraform {
  # 1.9 is the first whose validations may speak of other variables.
  required_version = ">= 1.9"

  required_providers {
    google = {
      source = "hashicorp/google"
      # Every argument used here is compared with the schema of 6.50.0 (tests/terraform).
      version = "~> 6.50"
    }

    # For the service agents alone, which only this one can make.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 6.50"
    }

    time = {
      source  = "hashicorp/time"
      version = "~> 0.13"
    }
  }
}
