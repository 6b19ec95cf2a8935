"""What is stored: documents, their versions and bytes."""
