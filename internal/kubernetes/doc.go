// Package kubernetes is a small client of the Kubernetes API server: it reads, creates and replaces Secrets, lists and watches the custom objects of a
// namespace, and writes Events about them. Neither errors nor what is printed of a Secret hold anything that is secret.
package kubernetes
