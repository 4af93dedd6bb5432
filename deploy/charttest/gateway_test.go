package charttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	mesh "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"
	gatewayapibeta "sigs.k8s.io/gateway-api/apis/v1beta1"
	strict "sigs.k8s.io/yaml"
)

// The configurations of proxies that cannot be run here have only fields that these proxies know.

const gatewayFiles = "../gateway"

// object is an object of Kubernetes.
type object struct {
	Kind string          `json:"kind"`
	Spec json.RawMessage `json:"spec"`
	all  []byte
}

// gatewayObjects returns the objects in a file, by their kinds.
func gatewayObjects(t *testing.T, name string) map[string]object {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(gatewayFiles, name))
	if err != nil {
		t.Fatal(err)
	}
	objects := make(map[string]object)
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := strict.YAMLToJSONStrict(document)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		one := object{all: document}
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		objects[one.Kind] = one
	}
}

// read reads the message in an object of Istio. Unknown fields are errors.
func read(t *testing.T, text []byte, into proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal(text, into); err != nil {
		t.Fatalf("%T: %v", into, err)
	}
}

func TestIstioKnowsItsConfiguration(t *testing.T) {
	objects := gatewayObjects(t, "istio.yaml")
	var operator struct {
		MeshConfig json.RawMessage `json:"meshConfig"`
	}
	if err := json.Unmarshal(objects["IstioOperator"].Spec, &operator); err != nil {
		t.Fatal(err)
	}
	var config mesh.MeshConfig
	read(t, operator.MeshConfig, &config)
	var policy security.AuthorizationPolicy
	read(t, objects["AuthorizationPolicy"].Spec, &policy)
	read(t, objects["VirtualService"].Spec, new(networking.VirtualService))
	provider := config.GetExtensionProviders()[0]
	asked := provider.GetEnvoyExtAuthzHttp()
	if policy.GetAction() != security.AuthorizationPolicy_CUSTOM || policy.GetProvider().GetName() != provider.GetName() {
		t.Errorf("the policy asks %v", policy.GetProvider())
	}
	if !asked.GetFailOpen() || !asked.GetClearRouteCache() || asked.GetTimeout().AsDuration() <= 0 {
		t.Errorf("the provider is %v", asked)
	}
	var filter networking.EnvoyFilter
	read(t, objects["EnvoyFilter"].Spec, &filter)
	if diff := cmp.Diff(earlyMutation(t), filter.GetConfigPatches()[0].GetPatch().GetValue().AsMap()["typed_config"].(map[string]any)["early_header_mutation_extensions"]); diff != "" {
		t.Errorf("what goes first is not what the tests try with Envoy (-envoy.yaml +istio.yaml):\n%s", diff)
	}
}

// earlyMutation returns what Envoy removes before it chooses a route, in the configuration with which it is tried.
func earlyMutation(t *testing.T) any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(gatewayFiles, "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var bootstrap struct {
		Resources struct {
			Listeners []struct {
				Chains []struct {
					Filters []struct {
						Config map[string]any `json:"typed_config"`
					} `json:"filters"`
				} `json:"filter_chains"`
			} `json:"listeners"`
		} `json:"static_resources"`
	}
	if err := strict.Unmarshal(content, &bootstrap); err != nil {
		t.Fatal(err)
	}
	return bootstrap.Resources.Listeners[0].Chains[0].Filters[0].Config["early_header_mutation_extensions"]
}

func TestTheGatewayAPIKnowsItsConfiguration(t *testing.T) {
	objects := gatewayObjects(t, "gateway-api.yaml")
	var route gatewayapi.HTTPRoute
	if err := strict.UnmarshalStrict(objects["HTTPRoute"].all, &route); err != nil {
		t.Fatal(err)
	}
	filter := route.Spec.Rules[0].Filters[0]
	if filter.Type != gatewayapi.HTTPRouteFilterExternalAuth || filter.ExternalAuth == nil || filter.ExternalAuth.ExternalAuthProtocol != gatewayapi.HTTPRouteExternalAuthHTTPProtocol ||
		len(filter.ExternalAuth.HTTPAuthConfig.AllowedResponseHeaders) == 0 { // which would be all of them
		t.Errorf("the filter is %+v", filter)
	}
	var grant gatewayapibeta.ReferenceGrant
	if err := strict.UnmarshalStrict(objects["ReferenceGrant"].all, &grant); err != nil {
		t.Fatal(err)
	}
	if string(*grant.Spec.To[0].Name) != string(filter.ExternalAuth.BackendRef.Name) || grant.Namespace != string(*filter.ExternalAuth.BackendRef.Namespace) {
		t.Errorf("the grant is %+v", grant)
	}
}

// traefik has the fields of Traefik 3.7 that its configuration uses, as its reference names them.
type traefik struct {
	HTTP struct {
		Routers map[string]struct {
			EntryPoints []string `json:"entryPoints"`
			Rule        string   `json:"rule"`
			ParentRefs  []string `json:"parentRefs"`
			Middlewares []string `json:"middlewares"`
			Priority    int      `json:"priority"`
			Service     string   `json:"service"`
		} `json:"routers"`
		Middlewares map[string]struct {
			ForwardAuth struct {
				Address                  string   `json:"address"`
				AuthResponseHeadersRegex string   `json:"authResponseHeadersRegex"`
				AuthRequestHeaders       []string `json:"authRequestHeaders"`
				AddAuthCookiesToResponse []string `json:"addAuthCookiesToResponse"`
				MaxResponseBodySize      *int64   `json:"maxResponseBodySize"`
			} `json:"forwardAuth"`
		} `json:"middlewares"`
		Services map[string]struct {
			LoadBalancer struct {
				Servers []struct {
					URL string `json:"url"`
				} `json:"servers"`
			} `json:"loadBalancer"`
		} `json:"services"`
	} `json:"http"`
}

func TestTraefikKnowsItsConfiguration(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(gatewayFiles, "traefik.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config traefik
	if err := strict.UnmarshalStrict(content, &config); err != nil {
		t.Fatal(err)
	}
	for name, router := range config.HTTP.Routers {
		for _, parent := range router.ParentRefs {
			if above, found := config.HTTP.Routers[parent]; !found || above.Service != "" || len(above.EntryPoints) == 0 || len(router.EntryPoints) > 0 {
				t.Errorf("router %s has the parent %+v", name, above)
			}
		}
		for _, middleware := range router.Middlewares {
			if config.HTTP.Middlewares[middleware].ForwardAuth.Address == "" {
				t.Errorf("router %s has the middleware %s, which asks nothing", name, middleware)
			}
		}
		if _, found := config.HTTP.Services[router.Service]; !found && router.Service != "" {
			t.Errorf("router %s has no service %s", name, router.Service)
		}
	}
}

// The values of the gate become its options, and its key a file.
func TestGateOfTheChart(t *testing.T) {
	values, err := Values("../helm/flagside/examples/gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Render(values)
	if err != nil {
		t.Fatal(err)
	}
	set := Of[*apps.DaemonSet](r)[0]
	container := set.Spec.Template.Spec.Containers[0]
	for _, want := range []string{
		"--gate-addr=unix:/run/flagside/gate.sock", "--gate-grpc-addr=unix:/run/flagside/gate-grpc.sock", "--gate-flags=/=new-checkout,banner", "--gate-flags=/admin=new-admin",
		"--gate-context-from-header=X-User=targetingKey", "--gate-context-from-cookie=theme=theme", "--gate-visitor-key-file=/etc/flagside/visitors/visitor-keys",
		"--gate-addr=0.0.0.0:8018", "--gate-grpc-addr=0.0.0.0:8019",
	} {
		if !slices.Contains(container.Args, want) {
			t.Errorf("option %s is missing in %v", want, container.Args)
		}
	}
	mounted := func(m core.VolumeMount) bool {
		return m.Name == "flagside-visitors" && m.MountPath == "/etc/flagside/visitors" && m.ReadOnly
	}
	kept := func(v core.Volume) bool {
		return v.Name == "flagside-visitors" && v.Secret.SecretName == "visitor-keys"
	}
	if !slices.ContainsFunc(container.VolumeMounts, mounted) || !slices.ContainsFunc(set.Spec.Template.Spec.Volumes, kept) {
		t.Errorf("the key is not mounted: %+v", container.VolumeMounts)
	}
	found := false
	for _, service := range Of[*core.Service](r) {
		if strings.HasSuffix(service.Name, "-gate") {
			found = true
			if *service.Spec.InternalTrafficPolicy != core.ServiceInternalTrafficPolicyLocal || service.Spec.Selector["app.kubernetes.io/component"] != "node-sidecar" {
				t.Errorf("the service is %+v", service.Spec)
			}
		}
	}
	if !found {
		t.Error("the gate has no service")
	}
	for _, wrong := range []map[string]any{
		{"daemonSet": map[string]any{"enabled": true, "gateService": true}},
		{"sidecar": map[string]any{"gate": map[string]any{"flags": map[string]any{"shop": []any{"a"}}}}},
		{"sidecar": map[string]any{"gate": map[string]any{"flag": "a"}}},
	} {
		if _, err := Render(wrong); err == nil {
			t.Errorf("%v renders", wrong)
		}
	}
}
