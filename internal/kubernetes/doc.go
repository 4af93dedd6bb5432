// Package kubernetes is a small client of the Kubernetes API server: it reads, creates and replaces Secrets. Neither errors nor what is printed of
// a Secret hold anything that is secret.
package kubernetes
