"""What is not GraphQL: files, probes, the explorer page, and the public pages that messages link to."""
