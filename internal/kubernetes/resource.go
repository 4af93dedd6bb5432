package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// pageObjects is how many objects one answer of a list has at most, and maxPage how many bytes: an object has 1.5 MiB at most.
	pageObjects = 20
	maxPage     = 48 << 20
	// MaxObjects bounds the objects of a resource in a namespace together, in bytes.
	MaxObjects = 64 << 20
)

// Resource is a kind of custom objects in a namespace.
type Resource struct {
	Group, Version, Plural, Namespace string
}

// Object is a custom object.
type Object struct {
	Metadata ObjectMetadata `json:"metadata"`
	// Spec is what it says, as it was sent.
	Spec jsontext.Value `json:"spec"`
}

// ObjectMetadata are the metadata of a custom object, as far as they are read.
type ObjectMetadata struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// UID tells objects apart that had the same name one after the other.
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion"`
}

// objects returns the URL of the objects of a resource.
func (c *Client) objects(r Resource, query url.Values) string {
	u := c.base.JoinPath("apis", url.PathEscape(r.Group), url.PathEscape(r.Version), "namespaces", url.PathEscape(r.Namespace), url.PathEscape(r.Plural))
	u.RawQuery = query.Encode()
	return u.String()
}

// List returns all objects of a resource, as they were together at one time, and the resource version of that time. No other answer is older than that
// of a List that began after it.
func (c *Client) List(ctx context.Context, r Resource) (all []Object, version string, err error) {
	query := url.Values{"limit": {strconv.Itoa(pageObjects)}} // no resourceVersion: the newest, and not what a cache has
	for {
		text, err := c.ask(ctx, http.MethodGet, c.objects(r, query), "", nil, maxPage)
		if err != nil {
			return nil, "", fmt.Errorf("list %s in %s: %w", r.Plural, r.Namespace, err)
		}
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []Object `json:"items"`
		}
		if err := json.Unmarshal(text, &page); err != nil || page.Metadata.ResourceVersion == "" {
			return nil, "", fmt.Errorf("list %s in %s: the answer is no list", r.Plural, r.Namespace)
		}
		all = append(all, page.Items...)
		if SizeOf(slices.Values(all)) > MaxObjects {
			return nil, "", fmt.Errorf("list %s in %s: %w", r.Plural, r.Namespace, ErrTooMuch)
		}
		if page.Metadata.Continue == "" {
			return all, page.Metadata.ResourceVersion, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// ErrTooMuch means that a namespace has more than is read.
var ErrTooMuch = fmt.Errorf("the objects have more than %d MiB together: divide them into several namespaces", MaxObjects>>20)

// SizeOf returns how many bytes objects say.
func SizeOf(objects iter.Seq[Object]) (size int) {
	for o := range objects {
		size += len(o.Spec)
	}
	return size
}

// errNoEvent means that a watch was answered with something else than events.
var errNoEvent = errors.New("the answer is no event of a watch")
