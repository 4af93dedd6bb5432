package kubernetestest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/kubernetes"
)

// maxSecret is how large the data of a Secret may be, in bytes.
const maxSecret = 1 << 20

// call is a request that is about a Secret, or is to make one.
type call struct {
	namespace, name string
	object          map[string]any // nil if there is no body
	dry             bool
}

func (c call) at() string { return c.namespace + "/" + c.name }

// refusal is an answer that says no.
type refusal struct {
	code            int
	reason, message string
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault := Pass
	if s.fault != nil {
		fault = s.fault(r.Method, r.URL.Path)
	}
	var code int
	var object map[string]any
	no := &refusal{http.StatusInternalServerError, "InternalError", "it does not work"}
	switch fault {
	case Lose:
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	case Refuse:
	case Forbid:
		no = &refusal{http.StatusForbidden, "Forbidden", "secrets are forbidden: a test does not permit it"}
	case Pass, LoseReply:
		if watch := s.watchOf(r); watch != nil {
			s.mu.Unlock()
			s.stream(w, r, watch)
			return
		}
		code, object, no = s.handle(r)
	}
	s.mu.Unlock()
	if fault == LoseReply {
		panic(http.ErrAbortHandler)
	}
	if no != nil {
		code = no.code
		object = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": no.reason, "message": no.message, "code": code}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.MarshalWrite(w, object, json.Deterministic(true))
}

// handle does what a request asks for. The caller holds mu.
func (s *Server) handle(r *http.Request) (code int, object map[string]any, no *refusal) {
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		return 0, nil, &refusal{http.StatusUnauthorized, "Unauthorized", "Unauthorized"}
	}
	if code, object, no, known := s.handleObjects(r); known {
		return code, object, no
	}
	c, no := parse(r)
	if no != nil {
		return 0, nil, no
	}
	switch {
	case r.Method == http.MethodGet && c.name != "":
		if object, ok := s.secrets[c.at()]; ok {
			return http.StatusOK, object, nil
		}
		return 0, nil, notFound("secrets", c.name)
	case r.Method == http.MethodPost && c.name == "":
		return s.create(c)
	case r.Method == http.MethodPut && c.name != "":
		return s.update(c)
	}
	return 0, nil, &refusal{http.StatusMethodNotAllowed, "MethodNotAllowed", "the server does not allow this method on the requested resource"}
}

func notFound(kind, name string) *refusal {
	return &refusal{http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", kind, name)}
}

// parse reads what a request is about.
func parse(r *http.Request) (c call, no *refusal) {
	parts := regexp.MustCompile(`^/api/v1/namespaces/([a-z0-9-]+)/secrets(?:/([a-z0-9.-]+))?$`).FindStringSubmatch(r.URL.Path)
	if parts == nil {
		return c, &refusal{http.StatusNotFound, "NotFound", "the server could not find the requested resource"}
	}
	c = call{namespace: parts[1], name: parts[2], dry: r.URL.Query().Get("dryRun") == "All"}
	if r.Method == http.MethodGet {
		return c, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 3<<20))
	if err == nil {
		err = json.Unmarshal(text, &c.object)
	}
	if err != nil || r.Header.Get("Content-Type") != "application/json" {
		return c, &refusal{http.StatusBadRequest, "BadRequest", "the object cannot be decoded: " + string(text)} // as careless as can be
	}
	return c, nil
}

// typed returns an object as a Secret.
func typed(object map[string]any) (s kubernetes.Secret, err error) {
	text, err := json.Marshal(object, json.Deterministic(true))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// invalid returns why an object may not be stored.
func invalid(c call) (secret kubernetes.Secret, no *refusal) {
	secret, err := typed(c.object)
	if err != nil || c.object["kind"] != "Secret" || c.object["apiVersion"] != "v1" {
		return secret, &refusal{http.StatusBadRequest, "BadRequest", "it is no Secret"}
	}
	refuse := func(format string, values ...any) *refusal {
		return &refusal{http.StatusUnprocessableEntity, "Invalid", fmt.Sprintf("Secret %q is invalid: ", secret.Metadata.Name) + fmt.Sprintf(format, values...)}
	}
	size := 0
	for name, content := range secret.Data {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return secret, refuse("data[%s]: a valid config key must consist of alphanumeric characters, '-', '_' or '.'", name)
		}
		size += len(content)
	}
	switch {
	case secret.Metadata.Namespace != c.namespace:
		return secret, &refusal{http.StatusBadRequest, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"}
	case size > maxSecret:
		return secret, refuse("data: Too long: must have at most %d bytes", maxSecret)
	case secret.Type == kubernetes.TypeTLS && (secret.Data["tls.crt"] == nil || secret.Data["tls.key"] == nil):
		return secret, refuse("data[tls.crt]: Required value")
	}
	return secret, nil
}

func (s *Server) create(c call) (code int, object map[string]any, no *refusal) {
	secret, no := invalid(c)
	if no != nil {
		return 0, nil, no
	}
	c.name = secret.Metadata.Name
	switch _, exists := s.secrets[c.at()]; {
	case !s.namespaces[c.namespace]:
		return 0, nil, notFound("namespaces", c.namespace)
	case exists:
		return 0, nil, &refusal{http.StatusConflict, "AlreadyExists", fmt.Sprintf("secrets %q already exists", c.name)}
	case secret.Metadata.ResourceVersion != "":
		return 0, nil, &refusal{http.StatusBadRequest, "BadRequest", "resourceVersion should not be set on objects to be created"}
	}
	return http.StatusCreated, s.store(c, map[string]any{"uid": "uid-" + strconv.Itoa(s.version), "creationTimestamp": "2026-11-29T00:00:00Z"}), nil
}

func (s *Server) update(c call) (code int, object map[string]any, no *refusal) {
	secret, no := invalid(c)
	if no != nil {
		return 0, nil, no
	}
	before, exists := s.secrets[c.at()]
	if !exists {
		return 0, nil, notFound("secrets", c.name)
	}
	metadata := before["metadata"].(map[string]any)
	switch {
	case secret.Metadata.ResourceVersion != "" && secret.Metadata.ResourceVersion != metadata["resourceVersion"]:
		return 0, nil, &refusal{http.StatusConflict, "Conflict", fmt.Sprintf(
			"Operation cannot be fulfilled on secrets %q: the object has been modified; please apply your changes to the latest version and try again", c.name)}
	case c.object["type"] != before["type"]:
		return 0, nil, &refusal{http.StatusUnprocessableEntity, "Invalid", "type: Invalid value: field is immutable"}
	case before["immutable"] == true:
		return 0, nil, &refusal{http.StatusUnprocessableEntity, "Invalid", "data: Forbidden: field is immutable when `immutable` is set"}
	}
	return http.StatusOK, s.store(c, map[string]any{"uid": metadata["uid"], "creationTimestamp": metadata["creationTimestamp"]}), nil
}

// store keeps the object of a call, with metadata that are the server's, and returns it.
func (s *Server) store(c call, own map[string]any) map[string]any {
	metadata := c.object["metadata"].(map[string]any)
	maps.Copy(metadata, own)
	if c.object["type"] == nil {
		c.object["type"] = kubernetes.TypeOpaque
	}
	if c.dry {
		return c.object
	}
	metadata["resourceVersion"] = s.nextVersion()
	s.secrets[c.at()] = c.object
	s.writes++
	if s.seen != nil {
		if secret, err := typed(c.object); err == nil {
			s.seen(secret)
		}
	}
	return c.object
}
