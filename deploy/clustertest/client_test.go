package clustertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// object is any of Kubernetes' objects.
type object map[string]any

// in returns what lies inside of an object, nil if it is not there.
func in[T any](o object, path ...string) T {
	var at any = map[string]any(o)
	for _, name := range path {
		inside, _ := at.(map[string]any)
		at = inside[name]
	}
	value, _ := at.(T)
	return value
}

func (o object) kind() string      { return in[string](o, "kind") }
func (o object) name() string      { return in[string](o, "metadata", "name") }
func (o object) namespace() string { return in[string](o, "metadata", "namespace") }
func (o object) String() string    { return o.kind() + " " + o.namespace() + "/" + o.name() }

func parse(t *testing.T, manifests string) []object {
	t.Helper()
	var all []object
	for text := range strings.SplitSeq("\n"+manifests, "\n---") {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if len(o) > 0 {
			all = append(all, o)
		}
	}
	return all
}

// plurals are the names of kinds in paths, where they are not the kind with an s.
var plurals = map[string]string{"NetworkPolicy": "networkpolicies", "MutatingAdmissionPolicy": "mutatingadmissionpolicies", "Ingress": "ingresses"}

// collection returns the path of the objects of a kind.
func (o object) collection() string {
	version := in[string](o, "apiVersion")
	path := "/apis/" + version
	if !strings.Contains(version, "/") {
		path = "/api/" + version
	}
	if namespace := o.namespace(); namespace != "" {
		path += "/namespaces/" + namespace
	}
	plural := plurals[o.kind()]
	if plural == "" {
		plural = strings.ToLower(o.kind()) + "s"
	}
	return path + "/" + plural
}

func (o object) path() string { return o.collection() + "/" + o.name() }

// client sends requests to an API server, with a bearer token.
type client struct {
	base, token string
	http        http.Client
}

// trust reports whether there is a certificate to trust.
func (c *client) trust(certificate []byte) bool {
	pool := x509.NewCertPool()
	ok := pool.AppendCertsFromPEM(certificate)
	c.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return ok
}

func (c *client) send(ctx context.Context, method, path, contentType string, body any) (int, object, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", contentType)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	var o object
	_ = json.Unmarshal(answer, &o) // /readyz answers no object
	return response.StatusCode, o, nil
}

// do sends a request that must be answered.
func (c *client) do(t *testing.T, method, path string, body any) (int, object) {
	t.Helper()
	contentType := "application/json"
	if method == http.MethodPatch {
		contentType = "application/apply-patch+yaml"
	}
	code, answer, err := c.send(t.Context(), method, path, contentType, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return code, answer
}

// offer applies an object on the server's side. Members that its kind does not have are errors.
func (c *client) offer(t *testing.T, o object) (int, object) {
	t.Helper()
	return c.do(t, http.MethodPatch, o.path()+"?fieldManager=test&force=true&fieldValidation=Strict", o)
}

func (c *client) apply(t *testing.T, o object) object {
	t.Helper()
	code, answer := c.offer(t, o)
	if code != http.StatusOK && code != http.StatusCreated {
		t.Fatalf("%s: %d %s", o, code, in[string](answer, "message"))
	}
	return answer
}
