package main

import (
	"maps"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/sync/status"
)

// place is where the sidecar runs: attributes of evaluation contexts by name.
type place map[string]*string

// declare declares an option for each attribute.
func (p place) declare(set *config.Set) {
	for _, one := range []struct{ attribute, usage string }{
		{"pod", "value of the context attribute pod, and part of status reports; set the variable to metadata.name with the downward API"},
		{"namespace", "value of the context attribute namespace, and part of status reports; set the variable to metadata.namespace with the downward API"},
		{"node", "value of the context attribute node, and part of status reports; set the variable to spec.nodeName with the downward API"},
		{"zone", "value of the context attribute zone, and part of status reports; set the variable to the pod's label topology.kubernetes.io/zone with the downward API"},
	} {
		p[one.attribute] = new(string)
		set.String(p[one.attribute], one.attribute, "", one.usage)
	}
}

// addTo returns the attributes with those of the place that are known and not among them.
func (p place) addTo(attributes map[string]string) map[string]string {
	all := make(map[string]string)
	for attribute, value := range p {
		if *value != "" {
			all[attribute] = *value
		}
	}
	maps.Copy(all, attributes)
	return all
}

// identify returns who the sidecar is with the place in it.
func (p place) identify(who status.Identity) status.Identity {
	who.Pod, who.Namespace, who.Node, who.Zone = *p["pod"], *p["namespace"], *p["node"], *p["zone"]
	return who
}
