{{/* Where a certificate or key comes from never changes where it is. Mode 288 is 0440, which not every reader of YAML takes for octal. */}}
{{- define "tidegate.mounts" -}}
- { name: config, mountPath: /etc/tidegate, readOnly: true }
- { name: certs, mountPath: /run/tidegate/certs, readOnly: true }
{{- if ne .Values.keys.source "none" }}
- { name: keys, mountPath: /run/tidegate/keys, readOnly: true }
{{- end }}
{{- if or .Values.trust.secretName .Values.trust.configMapName }}
- { name: trust, mountPath: /run/tidegate/trust, readOnly: true }
{{- end }}
{{- end }}

{{- define "tidegate.volumes" -}}
- name: config
  configMap: { name: {{ include "tidegate.name" . }} }
- name: certs
  {{- if eq .Values.certificates.source "keyVault" }}
  {{- include "tidegate.vaultVolume" (dict "root" . "name" "certs") | nindent 2 }}
  {{- else }}
  secret: { secretName: {{ .Values.certificates.secretName }}, defaultMode: 288 }
  {{- end }}
{{- if ne .Values.keys.source "none" }}
- name: keys
  {{- if eq .Values.keys.source "keyVault" }}
  {{- include "tidegate.vaultVolume" (dict "root" . "name" "keys") | nindent 2 }}
  {{- else }}
  secret: { secretName: {{ .Values.keys.secretName }}, defaultMode: 288 }
  {{- end }}
{{- end }}
{{- if .Values.trust.secretName }}
- name: trust
  secret: { secretName: {{ .Values.trust.secretName }}, defaultMode: 288 }
{{- else if .Values.trust.configMapName }}
- name: trust
  configMap: { name: {{ .Values.trust.configMapName }} }
{{- end }}
{{- end }}
