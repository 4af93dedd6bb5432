package charttest

import (
	"context"
	"errors"
	"fmt"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

// Policy is an admission policy, compiled as the API server compiles it.
type Policy struct {
	spec     admissionregistration.MutatingAdmissionPolicySpec
	matcher  matchconditions.Matcher
	patchers []patch.Patcher
	compiler *plugincel.CompositedCompiler
}

// Compile compiles a policy in the steps of the API server.
func Compile(p *admissionregistration.MutatingAdmissionPolicy) (*Policy, error) {
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	options := plugincel.OptionalVariableDeclarations{HasParams: p.Spec.ParamKind != nil, HasAuthorizer: true}
	var variables []plugincel.NamedExpressionAccessor
	for _, v := range p.Spec.Variables {
		variables = append(variables, &validating.Variable{Name: v.Name, Expression: v.Expression})
	}
	compiler.CompileAndStoreVariables(variables, options, environment.NewExpressions)
	var conditions []plugincel.ExpressionAccessor
	for i := range p.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&p.Spec.MatchConditions[i]))
	}
	compiled := &Policy{spec: p.Spec, compiler: compiler}
	compiled.matcher = matchconditions.NewMatcher(compiler.CompileCondition(conditions, options, environment.NewExpressions), p.Spec.FailurePolicy, "policy", "validate", p.Name)
	options.HasPatchTypes = true
	for i, m := range p.Spec.Mutations {
		var accessor plugincel.ExpressionAccessor
		var patcher func(plugincel.MutatingEvaluator) patch.Patcher
		switch m.PatchType {
		case admissionregistration.PatchTypeJSONPatch:
			accessor, patcher = &patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}, patch.NewJSONPatcher
		case admissionregistration.PatchTypeApplyConfiguration:
			accessor, patcher = &patch.ApplyConfigurationCondition{Expression: m.ApplyConfiguration.Expression}, patch.NewApplyConfigurationPatcher
		default:
			return nil, fmt.Errorf("mutation %d has the type %q", i, m.PatchType)
		}
		evaluator := compiler.CompileMutatingEvaluator(accessor, options, environment.NewExpressions)
		if err := evaluator.CompilationErrors(); len(err) > 0 {
			return nil, fmt.Errorf("mutation %d: %w", i, errors.Join(err...))
		}
		compiled.patchers = append(compiled.patchers, patcher(evaluator))
	}
	return compiled, nil
}

// Admit returns the pod as the API server would store it, and whether the policy was about it at all.
func (p *Policy) Admit(ctx context.Context, pod *core.Pod, namespace *core.Namespace) (admitted *core.Pod, matched bool, err error) {
	if matched, err = p.selects(pod, namespace); err != nil || !matched {
		return pod, matched, err
	}
	ctx = p.compiler.CreateContext(ctx)
	kind := core.SchemeGroupVersion.WithKind("Pod")
	resource := core.SchemeGroupVersion.WithResource("pods")
	pod = pod.DeepCopy()
	pod.SetGroupVersionKind(kind)
	attributes := &admission.VersionedAttributes{
		Attributes:      admission.NewAttributesRecord(pod, nil, kind, pod.Namespace, pod.Name, resource, "", admission.Create, nil, false, nil),
		VersionedKind:   kind,
		VersionedObject: admission.NewLazyObject(pod),
	}
	switch result := p.matcher.Match(ctx, attributes, nil, nil); {
	case result.Error != nil:
		return nil, false, result.Error
	case !result.Matches:
		return pod, false, nil
	}
	for i, patcher := range p.patchers {
		next, err := patcher.Patch(ctx, patch.Request{
			MatchedResource: resource, VersionedAttributes: attributes, ObjectInterfaces: interfaces(), Namespace: namespace,
			TypeConverter: applyconfigurations.NewTypeConverter(scheme.Scheme),
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			return nil, true, fmt.Errorf("mutation %d: %w", i, err)
		}
		if next, err = scheme.Scheme.ConvertToVersion(next, schema.GroupVersion{Version: "v1"}); err != nil {
			return nil, true, fmt.Errorf("mutation %d: %w", i, err)
		}
		attributes.UpdateObject(next)
	}
	return attributes.VersionedObject.Object().(*core.Pod), true, nil
}

// selects reports whether the selectors of the policy take the pod in.
func (p *Policy) selects(pod *core.Pod, namespace *core.Namespace) (bool, error) {
	for selector, of := range map[*metav1.LabelSelector]map[string]string{
		p.spec.MatchConstraints.ObjectSelector: pod.Labels, p.spec.MatchConstraints.NamespaceSelector: namespace.Labels,
	} {
		compiled, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || !compiled.Matches(labels.Set(of)) {
			return false, err
		}
	}
	return true, nil
}

func interfaces() admission.ObjectInterfaces {
	return admission.NewObjectInterfacesFromScheme(scheme.Scheme)
}

var _ runtime.Object = (*core.Pod)(nil)
