// Package document names the documents of an environment: flags, segments, its settings, its keys. Evaluation, the change log, the cache and
// the control plane share these names; what a body means is the business of package eval, how it travels that of package changelog.
package document
