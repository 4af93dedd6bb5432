{{- /*
The sidecar of a pod, once, for every way into it: include flagside.sidecar.container and flagside.sidecar.volumes in charts of your own, or let
the policy, the kustomize component or the DaemonSet do it. Call with (dict "root" $ "environment" "prod" "secret" "…"); with this chart as a
dependency, root is the context of the dependency: .Subcharts.flagside.
*/ -}}
{{- define "flagside.sidecar.secret" -}}
{{- .secret | default .root.Values.sidecar.existingSecret | default (printf "%s-sidecar-%s" (include "flagside.fullname" .root) .environment) -}}
{{- end -}}

{{- define "flagside.sidecar.container" -}}
{{- $s := .root.Values.sidecar -}}
name: flagside-sidecar
image: {{ include "flagside.image" (dict "root" .root "image" $s.image) }}
imagePullPolicy: {{ $s.image.pullPolicy }}
# A native sidecar: started before the application's containers, stopped after them.
restartPolicy: Always
args:
  - --nats={{ include "flagside.natsURL" .root }}
  - --credentials=/etc/flagside/credentials
  - --data-dir=/var/lib/flagside
  - --ofrep-addr=127.0.0.1:8016
  - --ofrep-addr=unix:/run/flagside/ofrep.sock
  - --flagd-addr=127.0.0.1:8013
  - --flagd-addr=unix:/run/flagside/flagd.sock
  # Containers of a pod run as different users.
  - --socket-mode=0666
  - --log-level={{ $s.logLevel }}
  {{- with $s.gate }}
  {{- if .enabled }}
  - --gate-addr=unix:/run/flagside/gate.sock
  - --gate-grpc-addr=unix:/run/flagside/gate-grpc.sock
  {{- with .address }}
  - {{ printf "--gate-addr=%s" . | quote }}
  {{- end }}
  {{- with .grpcAddress }}
  - {{ printf "--gate-grpc-addr=%s" . | quote }}
  {{- end }}
  {{- range $path, $keys := .flags }}
  - {{ printf "--gate-flags=%s=%s" $path (join "," $keys) | quote }}
  {{- end }}
  {{- with .tag }}
  - {{ printf "--gate-tag=%s" . | quote }}
  {{- end }}
  {{- range $name, $attribute := .contextFromHeader }}
  - {{ printf "--gate-context-from-header=%s=%s" $name $attribute | quote }}
  {{- end }}
  {{- range $name, $attribute := .contextFromCookie }}
  - {{ printf "--gate-context-from-cookie=%s=%s" $name $attribute | quote }}
  {{- end }}
  {{- range $name, $attribute := .contextFromQuery }}
  - {{ printf "--gate-context-from-query=%s=%s" $name $attribute | quote }}
  {{- end }}
  {{- if .visitorKeySecret }}
  - --gate-visitor-key-file=/etc/flagside/visitors/visitor-keys
  - {{ printf "--gate-cookie=%s" .cookie | quote }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- range $s.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  - {name: FLAGSIDE_ENVIRONMENT, value: {{ .environment | quote }}}
  - {name: FLAGSIDE_MANAGEMENT_ADDR, value: {{ $s.managementAddress | quote }}}
  - {name: GOMEMLIMIT, value: {{ $s.goMemoryLimit | quote }}}
  - {name: FLAGSIDE_POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: FLAGSIDE_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
  - {name: FLAGSIDE_NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
  - {name: FLAGSIDE_APPLICATION, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app.kubernetes.io/name']"}}}
  - {name: FLAGSIDE_APPLICATION_VERSION, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app.kubernetes.io/version']"}}}
  {{- with $s.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
# Started means that it answers, with the last known flags or the defaults of code; never that NATS is there.
startupProbe:
  exec: {command: [/sidecar, healthz]}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 30
livenessProbe:
  exec: {command: [/sidecar, healthz]}
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 4
{{- with $s.readinessProbe }}
readinessProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $s.resources | nindent 2 }}
securityContext:
  {{- include "flagside.securityContext" .root | nindent 2 }}
volumeMounts:
  - {name: flagside-socket, mountPath: /run/flagside}
  - {name: flagside-credentials, mountPath: /etc/flagside/credentials, readOnly: true}
  - {name: flagside-data, mountPath: /var/lib/flagside}
  {{- if and $s.gate.enabled $s.gate.visitorKeySecret }}
  - {name: flagside-visitors, mountPath: /etc/flagside/visitors, readOnly: true}
  {{- end }}
  # In place of the token of the pod's service account, which a sidecar has no use for.
  - {name: flagside-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{- define "flagside.sidecar.volumes" -}}
- name: flagside-socket
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: flagside-data
  emptyDir: {sizeLimit: {{ .root.Values.sidecar.dataSizeLimit }}}
- name: flagside-no-token
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- with .root.Values.sidecar.gate }}
{{- if and .enabled .visitorKeySecret }}
- name: flagside-visitors
  secret: {secretName: {{ .visitorKeySecret | quote }}, defaultMode: 0444}
{{- end }}
{{- end }}
- name: flagside-credentials
  # Readable by all users of the pod's containers that mount it, which is the sidecar alone: it may run as another user than the pod's group.
  secret: {secretName: {{ include "flagside.sidecar.secret" . }}, defaultMode: 0444}
{{- end -}}

{{- /* what application containers get */ -}}
{{- define "flagside.sidecar.applicationEnv" -}}
- {name: OFREP_ENDPOINT, value: "http://127.0.0.1:8016"}
- {name: FLAGD_HOST, value: 127.0.0.1}
- {name: FLAGD_PORT, value: "8013"}
- {name: FLAGD_SYNC_PORT, value: "8015"}
{{- end -}}

{{- define "flagside.sidecar.applicationVolumeMounts" -}}
- {name: flagside-socket, mountPath: /run/flagside, readOnly: true}
{{- end -}}

{{- /*
A value as CEL, with every element in dyn(): CEL wants lists and maps of one type otherwise, and the API server panics at lists of Objects. Call
with (dict "value" … "replace" "text" "with" "CEL"): where a string contains the text, the result of the CEL expression stands in its place.
*/ -}}
{{- define "flagside.cel" -}}
{{- $call := . -}}
{{- if kindIs "map" .value -}}
dyn({ {{- range $i, $key := keys .value | sortAlpha -}}
{{- if $i }}, {{ end }}{{ $key | quote }}: {{ include "flagside.cel" (dict "value" (get $call.value $key) "replace" $call.replace "with" $call.with) }}
{{- end -}} })
{{- else if kindIs "slice" .value -}}
dyn([ {{- range $i, $v := .value -}}
{{- if $i }}, {{ end }}{{ include "flagside.cel" (dict "value" $v "replace" $call.replace "with" $call.with) }}
{{- end -}} ])
{{- else if kindIs "string" .value -}}
{{- $quoted := .value | toJson -}}
{{- if and .replace (contains .replace .value) -}}
dyn({{ $quoted | replace .replace (printf "\" + %s + \"" .with) }})
{{- else -}}
dyn({{ $quoted }})
{{- end -}}
{{- else if kindIs "float64" .value -}}
dyn({{ int64 .value }})
{{- else -}}
dyn({{ .value }})
{{- end -}}
{{- end -}}
