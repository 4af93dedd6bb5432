package main

import (
	"fmt"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/kubernetes"
)

// declareKubernetes declares where the API server of Kubernetes is.
func declareKubernetes(set *config.Set, o *kubernetes.Options) {
	set.String(&o.URL, "kubernetes-url", "", "URL of the API server of Kubernetes; without it the one of the pod that this runs in")
	set.File(&o.TokenFile, "kubernetes-token-file", "",
		"file with a bearer token for the API server, read for each request; without it that of the pod, or none with --kubernetes-url")
	set.File(&o.CAFile, "kubernetes-ca", "",
		"PEM file with CA certificates for the API server; without it that of the pod, or those of the system with --kubernetes-url")
}

// apiServer returns where the API server is: as the options say, and else as the pod does.
func apiServer(o kubernetes.Options, environ []string) (kubernetes.Options, error) {
	if o.URL != "" {
		return o, nil
	}
	pod, err := kubernetes.InCluster(config.Lookup(environ))
	if err != nil {
		return o, fmt.Errorf("%w: run this in a pod, or name the API server with --kubernetes-url", err)
	}
	if o.TokenFile == "" {
		o.TokenFile = pod.TokenFile
	}
	if o.CAFile == "" {
		o.CAFile = pod.CAFile
	}
	o.URL = pod.URL
	return o, nil
}
