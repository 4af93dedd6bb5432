package charttest

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Chart is the folder of the chart.
const Chart = "../helm/flagside"

// Release is what the chart is installed as.
const (
	Release   = "flags"
	Namespace = "flagside"
)

// Object is any of Kubernetes' objects.
type Object interface {
	metav1.Object
}

// Rendered is what a chart becomes with some values.
type Rendered struct {
	Objects []Object
	Notes   string
	Text    string // all manifests, for looking for what must not be there
}

// Load reads the chart.
func Load() (*chart.Chart, error) { return loader.Load(Chart) }

// Values reads a file of values.
func Values(file string) (map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	values := make(map[string]any)
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return values, nil
}

// Examples returns the files with example values of the chart.
func Examples() ([]string, error) { return filepath.Glob(filepath.Join(Chart, "examples", "*.yaml")) }

// Render renders the chart. The schema of its values is enforced. apis are kinds that the cluster has beside those of every cluster.
func Render(values map[string]any, apis ...string) (Rendered, error) {
	c, err := Load()
	if err != nil {
		return Rendered{}, err
	}
	capabilities := *common.DefaultCapabilities
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), apis...)
	options := common.ReleaseOptions{Name: Release, Namespace: Namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, options, &capabilities)
	if err != nil {
		return Rendered{}, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return Rendered{}, err
	}
	var r Rendered
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case strings.HasSuffix(name, "NOTES.txt"):
			r.Notes = files[name]
		case strings.HasSuffix(name, ".yaml"):
			r.Text += "\n---\n" + files[name]
			objects, err := Decode(strings.NewReader(files[name]))
			if err != nil {
				return Rendered{}, fmt.Errorf("%s: %w", name, err)
			}
			r.Objects = append(r.Objects, objects...)
		}
	}
	return r, nil
}

// Decode reads manifests. Members that a kind does not have are errors.
func Decode(manifests io.Reader) ([]Object, error) {
	text, err := io.ReadAll(manifests)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, one := range strings.Split("\n"+string(text), "\n---") {
		var any map[string]any
		if err := yaml.Unmarshal([]byte(one), &any); err != nil {
			return nil, fmt.Errorf("%w in:\n%s", err, one)
		}
		if len(any) == 0 {
			continue
		}
		object, err := decodeOne(one, fmt.Sprint(any["apiVersion"], " ", any["kind"]))
		if err != nil {
			return nil, fmt.Errorf("%w in:\n%s", err, one)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// kinds are what the chart may have.
func kinds() map[string]Object {
	return map[string]Object{
		"v1 ConfigMap":                             new(core.ConfigMap),
		"v1 Secret":                                new(core.Secret),
		"v1 Service":                               new(core.Service),
		"v1 ServiceAccount":                        new(core.ServiceAccount),
		"apps/v1 StatefulSet":                      new(apps.StatefulSet),
		"apps/v1 Deployment":                       new(apps.Deployment),
		"apps/v1 DaemonSet":                        new(apps.DaemonSet),
		"batch/v1 Job":                             new(batch.Job),
		"policy/v1 PodDisruptionBudget":            new(policy.PodDisruptionBudget),
		"networking.k8s.io/v1 Ingress":             new(networking.Ingress),
		"networking.k8s.io/v1 NetworkPolicy":       new(networking.NetworkPolicy),
		"rbac.authorization.k8s.io/v1 Role":        new(rbac.Role),
		"rbac.authorization.k8s.io/v1 RoleBinding": new(rbac.RoleBinding),
		"admissionregistration.k8s.io/v1 MutatingAdmissionPolicy":        new(admission.MutatingAdmissionPolicy),
		"admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding": new(admission.MutatingAdmissionPolicyBinding),
		"monitoring.coreos.com/v1 ServiceMonitor":                        new(monitoring.ServiceMonitor),
		"monitoring.coreos.com/v1 PodMonitor":                            new(monitoring.PodMonitor),
		"monitoring.coreos.com/v1 PrometheusRule":                        new(monitoring.PrometheusRule),
	}
}

func decodeOne(text, kind string) (Object, error) {
	object := kinds()[kind]
	if object == nil {
		return nil, fmt.Errorf("%s is no kind that the chart may have", kind)
	}
	return object, yaml.UnmarshalStrict([]byte(text), object)
}

// Of returns the objects of a kind.
func Of[T Object](r Rendered) []T {
	var all []T
	for _, object := range r.Objects {
		if one, ok := object.(T); ok {
			all = append(all, one)
		}
	}
	return all
}

// Pods returns the pods that controllers would make, by the name of their object.
func (r Rendered) Pods() map[string]core.PodTemplateSpec {
	pods := make(map[string]core.PodTemplateSpec)
	for _, object := range r.Objects {
		switch o := object.(type) {
		case *apps.StatefulSet:
			pods[o.Name] = o.Spec.Template
		case *apps.Deployment:
			pods[o.Name] = o.Spec.Template
		case *apps.DaemonSet:
			pods[o.Name] = o.Spec.Template
		case *batch.Job:
			pods[o.Name] = o.Spec.Template
		}
	}
	return pods
}
