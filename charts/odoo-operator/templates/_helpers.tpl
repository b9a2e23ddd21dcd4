{{- /* The name of all objects, short enough for the suffixes that some of them append. */ -}}
{{- define "odoo-operator.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name .Chart.Name -}}
{{- if contains .Chart.Name .Release.Name }}{{ $name = .Release.Name }}{{ end -}}
{{- .Values.fullnameOverride | default $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- /* Selectors are immutable: these labels never change. */ -}}
{{- define "odoo-operator.selectorLabels" -}}
app: {{ include "odoo-operator.fullname" . }}
{{- end -}}

{{- define "odoo-operator.labels" -}}
{{ include "odoo-operator.selectorLabels" . }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The image of the operator; without tag and digest, the tag follows from the appVersion. */ -}}
{{- define "odoo-operator.image" -}}
{{- $last := splitList "/" .Values.operator.image | last -}}
{{- if or (contains ":" $last) (contains "@" $last) -}}
{{- .Values.operator.image -}}
{{- else -}}
{{- printf "%s:v%s" .Values.operator.image .Chart.AppVersion -}}
{{- end -}}
{{- end -}}

{{- /* The pull Secrets that may be copied to instances: those configured, otherwise those of the operator. */ -}}
{{- define "odoo-operator.allowedPullSecrets" -}}
{{- $names := list -}}
{{- range .Values.imagePullSecrets }}{{ $names = append $names (.name | default .domain) }}{{ end -}}
{{- if kindIs "slice" .Values.operator.allowedPullSecrets }}{{ $names = .Values.operator.allowedPullSecrets }}{{ end -}}
{{- join "," $names -}}
{{- end -}}

{{- /* The Secret with the certificate of the webhook: that of cert-manager, otherwise webhook.certSecretName. */ -}}
{{- define "odoo-operator.webhookSecret" -}}
{{- if .Values.webhook.certManager.enabled -}}
{{- printf "%s-webhook-cert" (include "odoo-operator.fullname" .) -}}
{{- else -}}
{{- .Values.webhook.certSecretName -}}
{{- end -}}
{{- end -}}
