package main

import (
	"fmt"
	"strings"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// contextSettings are the options about what evaluation contexts get beside what requests say.
type contextSettings struct {
	attributes []string
	headers    []string
	place      map[string]*string // where the sidecar runs: attributes by name
}

func (c *contextSettings) declare(set *config.Set) {
	set.List(&c.attributes, "context", nil,
		"attribute=value that every evaluation context gets, in place of the request's; may be repeated, and a value is text without commas").Short("X")
	set.List(&c.headers, "context-from-header", nil,
		"Header=attribute: a request header that is an attribute of its context, in place of --context and of the request's; may be repeated").Short("H")
	c.place = make(map[string]*string)
	for _, place := range []struct{ attribute, usage string }{
		{"pod", "value of the context attribute pod; set the variable to metadata.name with the downward API"},
		{"namespace", "value of the context attribute namespace; set the variable to metadata.namespace with the downward API"},
		{"node", "value of the context attribute node; set the variable to spec.nodeName with the downward API"},
		{"zone", "value of the context attribute zone; set the variable to the pod's label topology.kubernetes.io/zone with the downward API"},
	} {
		c.place[place.attribute] = new(string)
		set.String(c.place[place.attribute], place.attribute, "", place.usage)
	}
}

// additions returns what the options say. --context comes before what the place of the sidecar says.
func (c *contextSettings) additions() (resolver.Additions, error) {
	static, err := pairs("--context", c.attributes)
	if err != nil {
		return resolver.Additions{}, err
	}
	for attribute, value := range c.place {
		if _, given := static[attribute]; !given && *value != "" {
			static[attribute] = *value
		}
	}
	headers, err := pairs("--context-from-header", c.headers)
	return resolver.Additions{Static: static, Headers: headers}, err
}

// pairs reads texts of the form name=value. Names are not repeated.
func pairs(option string, texts []string) (map[string]string, error) {
	all := make(map[string]string)
	for _, text := range texts {
		name, value, found := strings.Cut(text, "=")
		if _, repeated := all[name]; !found || name == "" || repeated {
			return nil, fmt.Errorf("%s: %q is not of the form name=value, or the name is repeated", option, text)
		}
		all[name] = value
	}
	return all, nil
}
