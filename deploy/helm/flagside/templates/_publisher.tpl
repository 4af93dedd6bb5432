{{- /* arguments of publisher serve, one a line as JSON strings */ -}}
{{- define "flagside.publisher.args" -}}
- serve
- --keys=/etc/flagside/keys
- --admin-addr=:8017
- --admin-cert=/etc/flagside/api-tls/tls.crt
- --admin-key=/etc/flagside/api-tls/tls.key
- --admin-token-file={{ ternary "/etc/flagside/admin-token/token" "off" .Values.adminToken.enabled }}
- --log-level={{ .Values.publisher.logLevel }}
{{- if include "flagside.embedded" . }}
- --data-dir=/var/lib/flagside
- --nats-addr=:4222
- --nats-cert=/etc/flagside/nats-tls/tls.crt
- --nats-key=/etc/flagside/nats-tls/tls.key
- --nats-users=/etc/flagside/users/nats-users.json
{{- else }}
- --nats={{ .Values.nats.url }}
- --replicas={{ .Values.nats.replicas }}
{{- if .Values.nats.existingSecret }}
- --nats-{{ .Values.nats.credentials }}=/etc/flagside/nats/{{ .Values.nats.credentials }}
- --nats-ca=/etc/flagside/nats/ca.crt
{{- end }}
{{- if .Values.nats.insecure }}
- --nats-insecure
{{- end }}
{{- end }}
{{- with .Values.nats.domain }}
- --nats-domain={{ . }}
{{- end }}
{{- if .Values.oidc.existingSecret }}
- --issuers=/etc/flagside/oidc/issuers.json
{{- end }}
{{- if or .Values.policy.cedar .Values.policy.existingConfigMap }}
- --policy=/etc/flagside/policy/policy.cedar
{{- end }}
{{- if .Values.webhooks.existingSecret }}
- --webhooks=/etc/flagside/webhooks/webhooks.yaml
{{- end }}
{{- if .Values.usageSinks.existingSecret }}
- --usage-sinks=/etc/flagside/usage-sinks/sinks.yaml
{{- end }}
{{- if .Values.publisher.anonymousReads }}
- --anonymous-reads
{{- end }}
{{- if not .Values.console.enabled }}
- --console=false
{{- end }}
{{- range .Values.publisher.allowedHosts }}
- --allowed-host={{ . }}
{{- end }}
{{- range .Values.publisher.sources }}
- --source={{ .environment }}={{ if .namespace }}kubernetes:{{ .namespace }}{{ else }}{{ .path }}{{ end }}
{{- end }}
{{- range .Values.publisher.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{- /* the namespaces whose FeatureFlag objects are followed, as a JSON list */ -}}
{{- define "flagside.publisher.namespaces" -}}
{{- $all := list }}
{{- range .Values.publisher.sources }}{{ with .namespace }}{{ $all = append $all . }}{{ end }}{{ end }}
{{- uniq $all | toJson -}}
{{- end -}}

{{- define "flagside.publisher.probe" -}}
exec: {command: [/publisher, {{ . }}, --admin-addr=:8017, --admin-cert=/etc/flagside/api-tls/tls.crt]}
{{- end -}}

{{- /* the pod of a publisher, whichever controller makes it */ -}}
{{- define "flagside.publisher.pod" -}}
metadata:
  labels:
    {{- include "flagside.labels" (dict "root" . "component" "publisher") | nindent 4 }}
    {{- with .Values.publisher.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # NATS servers speak first, which a mesh must not wait to find out.
    config.linkerd.io/opaque-ports: "4222"
    {{- with .Values.publisher.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "flagside.serviceAccountName" . }}
  # It asks the API server for FeatureFlag objects only.
  automountServiceAccountToken: {{ ne (include "flagside.publisher.namespaces" .) "[]" }}
  # Variables of Services would be taken for options.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.publisher.terminationGracePeriodSeconds }}
  securityContext:
    {{- include "flagside.podSecurityContext" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: publisher
      image: {{ include "flagside.image" (dict "root" . "image" .Values.image) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- include "flagside.publisher.args" . | nindent 8 }}
      env:
        - {name: GOMEMLIMIT, value: {{ .Values.publisher.goMemoryLimit | quote }}}
        {{- with .Values.publisher.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: https-api, containerPort: 8017}
        {{- if include "flagside.embedded" . }}
        - {name: tcp-nats, containerPort: 4222}
        {{- end }}
      # A log that is read for the first time may take minutes.
      startupProbe:
        {{- include "flagside.publisher.probe" "healthz" | nindent 8 }}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 150
      livenessProbe:
        {{- include "flagside.publisher.probe" "healthz" | nindent 8 }}
        periodSeconds: 30
        timeoutSeconds: 10
        failureThreshold: 4
      readinessProbe:
        {{- include "flagside.publisher.probe" "readyz" | nindent 8 }}
        periodSeconds: 5
        timeoutSeconds: 5
      resources:
        {{- toYaml .Values.publisher.resources | nindent 8 }}
      securityContext:
        {{- include "flagside.securityContext" . | nindent 8 }}
      volumeMounts:
        - {name: keys, mountPath: /etc/flagside/keys, readOnly: true}
        - {name: api-tls, mountPath: /etc/flagside/api-tls, readOnly: true}
        {{- if .Values.adminToken.enabled }}
        - {name: admin-token, mountPath: /etc/flagside/admin-token, readOnly: true}
        {{- end }}
        {{- if include "flagside.embedded" . }}
        - {name: data, mountPath: /var/lib/flagside}
        - {name: nats-tls, mountPath: /etc/flagside/nats-tls, readOnly: true}
        - {name: users, mountPath: /etc/flagside/users, readOnly: true}
        {{- else if .Values.nats.existingSecret }}
        - {name: nats, mountPath: /etc/flagside/nats, readOnly: true}
        {{- end }}
        {{- if .Values.oidc.existingSecret }}
        - {name: oidc, mountPath: /etc/flagside/oidc, readOnly: true}
        {{- end }}
        {{- if or .Values.policy.cedar .Values.policy.existingConfigMap }}
        - {name: policy, mountPath: /etc/flagside/policy, readOnly: true}
        {{- end }}
        {{- if .Values.webhooks.existingSecret }}
        - {name: webhooks, mountPath: /etc/flagside/webhooks, readOnly: true}
        {{- end }}
        {{- if .Values.usageSinks.existingSecret }}
        - {name: usage-sinks, mountPath: /etc/flagside/usage-sinks, readOnly: true}
        {{- end }}
        {{- if .Values.usageSinks.existingClaim }}
        - {name: usage, mountPath: /var/lib/flagside-usage}
        {{- end }}
        {{- with .Values.publisher.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.publisher.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: keys
      secret: {secretName: {{ include "flagside.keysSecret" . }}, defaultMode: 0400}
    - name: api-tls
      secret: {secretName: {{ include "flagside.apiTLSSecret" . }}, defaultMode: 0400}
    {{- if .Values.adminToken.enabled }}
    - name: admin-token
      secret: {secretName: {{ include "flagside.adminTokenSecret" . | quote }}, defaultMode: 0400}
    {{- end }}
    {{- if include "flagside.embedded" . }}
    - name: nats-tls
      secret: {secretName: {{ include "flagside.natsTLSSecret" . }}, defaultMode: 0400}
    - name: users
      secret: {secretName: {{ include "flagside.usersSecret" . }}, defaultMode: 0400}
    {{- if .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim }}}
    {{- end }}
    {{- else if .Values.nats.existingSecret }}
    - name: nats
      secret: {secretName: {{ .Values.nats.existingSecret }}, defaultMode: 0400}
    {{- end }}
    {{- with .Values.oidc.existingSecret }}
    - name: oidc
      secret: {secretName: {{ . }}, defaultMode: 0400}
    {{- end }}
    {{- if or .Values.policy.cedar .Values.policy.existingConfigMap }}
    - name: policy
      configMap: {name: {{ .Values.policy.existingConfigMap | default (printf "%s-policy" (include "flagside.fullname" .)) }}}
    {{- end }}
    {{- with .Values.webhooks.existingSecret }}
    - name: webhooks
      secret: {secretName: {{ . }}, defaultMode: 0400}
    {{- end }}
    {{- with .Values.usageSinks.existingSecret }}
    - name: usage-sinks
      secret: {secretName: {{ . }}, defaultMode: 0400}
    {{- end }}
    {{- with .Values.usageSinks.existingClaim }}
    - name: usage
      persistentVolumeClaim: {claimName: {{ . }}}
    {{- end }}
    {{- with .Values.publisher.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if .Values.publisher.topologySpread }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: {matchLabels: {app.kubernetes.io/name: {{ include "flagside.name" . }}, app.kubernetes.io/instance: {{ .Release.Name }}, app.kubernetes.io/component: publisher}}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: {matchLabels: {app.kubernetes.io/name: {{ include "flagside.name" . }}, app.kubernetes.io/instance: {{ .Release.Name }}, app.kubernetes.io/component: publisher}}
  {{- end }}
  {{- with .Values.publisher.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.publisher.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.publisher.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.publisher.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}
