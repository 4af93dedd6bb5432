{{- define "flagside.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "flagside.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "flagside.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "flagside.selector" -}}
app.kubernetes.io/name: {{ include "flagside.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* labels of an object; call with (dict "root" $ "component" "publisher") */ -}}
{{- define "flagside.labels" -}}
{{ include "flagside.selector" .root }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* name, namespace and labels of an object; call with (dict "root" $ "component" "publisher" "name" "…" "annotations" (dict)) */ -}}
{{- define "flagside.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "flagside.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* an image; call with (dict "image" .Values.image "root" $) */ -}}
{{- define "flagside.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "flagside.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "flagside.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "flagside.embedded" -}}
{{- if not .Values.nats.url }}true{{ end -}}
{{- end -}}

{{- define "flagside.keysSecret" -}}{{ .Values.keys.existingSecret | default (printf "%s-keys" (include "flagside.fullname" .)) }}{{- end -}}
{{- define "flagside.adminTokenSecret" -}}{{ .Values.adminToken.existingSecret | default (printf "%s-admin-token" (include "flagside.fullname" .)) }}{{- end -}}
{{- define "flagside.usersSecret" -}}{{ .Values.users.existingSecret | default (printf "%s-nats-users" (include "flagside.fullname" .)) }}{{- end -}}
{{- define "flagside.apiTLSSecret" -}}{{ .Values.tls.api.existingSecret | default (printf "%s-api-tls" (include "flagside.fullname" .)) }}{{- end -}}
{{- define "flagside.natsTLSSecret" -}}{{ .Values.tls.nats.existingSecret | default (printf "%s-nats-tls" (include "flagside.fullname" .)) }}{{- end -}}
{{- define "flagside.natsService" -}}{{ include "flagside.fullname" . }}-nats{{- end -}}
{{- define "flagside.natsURL" -}}
{{- if .Values.nats.sidecarURL -}}{{ .Values.nats.sidecarURL }}
{{- else if .Values.nats.url -}}{{ .Values.nats.url }}
{{- else -}}tls://{{ include "flagside.natsService" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.natsPort }}
{{- end -}}
{{- end -}}

{{- /* what pods that run our programs are held to */ -}}
{{- define "flagside.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "flagside.securityContext" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
privileged: false
readOnlyRootFilesystem: true
runAsGroup: 65532
runAsNonRoot: true
runAsUser: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}
