{{/* What everything is called. */}}
{{- define "bpf-sidecar.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "bpf-sidecar.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "bpf-sidecar.labels" -}}
{{ include "bpf-sidecar.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* An image reference: [values of the image, root context]. */}}
{{- define "bpf-sidecar.image" -}}
{{- $image := index . 0 -}}
{{- $root := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The name by which the API server calls the webhook. */}}
{{- define "bpf-sidecar.dnsName" -}}
{{ include "bpf-sidecar.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end -}}

{{/* The Secret with the server's certificate, where it is not the webhook's own. */}}
{{- define "bpf-sidecar.tlsSecret" -}}
{{- if eq .Values.certificate.source "cert-manager" -}}
{{ include "bpf-sidecar.fullname" . }}-tls
{{- else -}}
{{ required "certificate.secretName must name the Secret of the webhook's certificate, since certificate.source is secret" .Values.certificate.secretName }}
{{- end -}}
{{- end -}}

{{/* The configuration file of the webhook. */}}
{{- define "bpf-sidecar.config" -}}
{{- $name := include "bpf-sidecar.fullname" . -}}
sidecar:
  image: {{ include "bpf-sidecar.image" (list .Values.sidecar.image .) }}
  imagePullPolicy: {{ .Values.sidecar.image.pullPolicy }}
  privilege: {{ .Values.sidecar.privilege }}
  allowNodeWide: {{ .Values.sidecar.allowNodeWide }}
  resources:
    {{- toYaml .Values.sidecar.resources | nindent 4 }}
invalidAnnotations: {{ .Values.admission.invalidAnnotations }}
programs:
  {{- toYaml .Values.programs | nindent 2 }}
monitors:
  {{- toYaml .Values.monitors | nindent 2 }}
certificate:
{{- if eq .Values.certificate.source "self" }}
  authoritySecret:
    namespace: {{ .Release.Namespace }}
    name: {{ $name }}-ca
  dnsNames: [{{ include "bpf-sidecar.dnsName" . }}]
  webhookConfigurations:
    mutating: [{{ $name }}]
    validating: [{{ $name }}]
{{- else }}
  directory: /tls
{{- end }}
{{- end -}}

{{/* Of a webhook configuration: who writes the caBundle when it is not the webhook. */}}
{{- define "bpf-sidecar.caAnnotations" -}}
{{- if eq .Values.certificate.source "cert-manager" }}
  annotations:
    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "bpf-sidecar.fullname" . }}
{{- end }}
{{- end -}}

{{/* How the API server reaches a path of the webhook: [path, root context]. */}}
{{- define "bpf-sidecar.clientConfig" -}}
{{- $root := index . 1 -}}
clientConfig:
  service:
    namespace: {{ $root.Release.Namespace }}
    name: {{ include "bpf-sidecar.fullname" $root }}
    path: {{ index . 0 }}
    port: 443
  {{- if eq $root.Values.certificate.source "secret" }}
  caBundle: {{ required "certificate.caBundle must be the certificate of the CA, since certificate.source is secret" $root.Values.certificate.caBundle | b64enc }}
  {{- end }}
admissionReviewVersions: [v1]
timeoutSeconds: {{ $root.Values.admission.timeoutSeconds }}
{{- end -}}

{{/* The namespaces that are served. The release's own never is, so that it can always start itself. */}}
{{- define "bpf-sidecar.namespaceSelector" -}}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values: [kube-system, {{ .Release.Namespace }}]
    {{- if .Values.admission.optIn }}
    - key: bpf.sh/injection
      operator: In
      values: [enabled]
    {{- else }}
    - key: bpf.sh/injection
      operator: NotIn
      values: [disabled]
    {{- end }}
{{- end -}}

{{/* A list of strings in CEL. */}}
{{- define "bpf-sidecar.cel" -}}
{{- if . }}['{{ join "', '" . }}']{{ else }}[]{{ end -}}
{{- end -}}

{{- define "bpf-sidecar.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "bpf-sidecar.securityContext" -}}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Of a pod: where it may run, and who may pull its image. */}}
{{- define "bpf-sidecar.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
