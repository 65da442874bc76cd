{{- define "tidegate.name" -}}
{{- if contains "tidegate" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-tidegate" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: tidegate
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tidegate.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* tidegate.yaml. Listeners and drain are the chart's, so that they cannot differ from ports, probes and grace period. */}}
{{- define "tidegate.config" -}}
listen:
  tls: { host: 0.0.0.0, port: 8443 }
  {{- if .Values.service.plainPort }}
  plain: { host: 0.0.0.0, port: 8080 }
  {{- end }}
  admin: { host: 0.0.0.0, port: 9464{{ with .Values.admin.hosts }}, hosts: {{ toJson . }}{{ end }} }
  {{- if .Values.privateLink.enabled }}
  proxyProtocol:
    from: {{ required "privateLink.proxyProtocolFrom: the subnet of the link's NAT addresses" .Values.privateLink.proxyProtocolFrom | toJson }}
  {{- end }}
drain:
  announce: {{ .Values.drain.announceSeconds }}s
  deadline: {{ .Values.drain.deadlineSeconds }}s
{{ toYaml .Values.config }}
{{- end }}

{{- define "tidegate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "tidegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* A folder of files that the CSI driver fetches from Key Vault. Takes root, name. */}}
{{- define "tidegate.vaultVolume" -}}
csi:
  driver: secrets-store.csi.k8s.io
  readOnly: true
  volumeAttributes: { secretProviderClass: {{ include "tidegate.name" .root }}-{{ .name }} }
{{- end }}

{{- define "tidegate.vaultIdentity" -}}
keyvaultName: {{ required "keyVault.name" .Values.keyVault.name | quote }}
tenantId: {{ required "keyVault.tenantId" .Values.keyVault.tenantId | quote }}
clientID: {{ required "workloadIdentity.clientId, which reads the vault" .Values.workloadIdentity.clientId | quote }}
{{- end }}
