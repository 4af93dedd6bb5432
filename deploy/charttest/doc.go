// Package charttest renders the chart of deploy/helm/flagside with helm's own engine, decodes what comes out strictly into Kubernetes' types, and
// runs its admission policy with the API server's own CEL code. It is a module of its own, so that the product needs nothing of Kubernetes.
package charttest
