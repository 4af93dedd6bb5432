// Package clustertest gives what the chart makes to a real kube-apiserver with a real etcd: objects, the admission policy, and the Job's program
// with the Job's rights. No kubelet, scheduler or controller runs, so nothing becomes of what is accepted. It is a module of its own, because an API
// server takes its dependencies from the sources of one release of Kubernetes.
package clustertest
