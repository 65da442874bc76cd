# Reads ARM resources by Azure's own models and writes them again: what a model does not know is lost on the way, and told
# by its path. Takes {"resources": [...]} on standard input; prints {"lost": [...], "unknownValues": [...]}.
import json
import sys

import azure.mgmt.network.models as network
import azure.mgmt.privatedns.models as dns
import azure.mgmt.storage.models as storage

MODELS = {
    'Microsoft.Network/virtualNetworks': network.VirtualNetwork,
    'Microsoft.Network/publicIPAddresses': network.PublicIPAddress,
    'Microsoft.Network/virtualNetworkGateways': network.VirtualNetworkGateway,
    'Microsoft.Network/localNetworkGateways': network.LocalNetworkGateway,
    'Microsoft.Network/connections': network.VirtualNetworkGatewayConnection,
    'Microsoft.Network/privateEndpoints': network.PrivateEndpoint,
    'Microsoft.Network/privateEndpoints/privateDnsZoneGroups': network.PrivateDnsZoneGroup,
    'Microsoft.Network/privateDnsZones': dns.PrivateZone,
    'Microsoft.Network/privateDnsZones/virtualNetworkLinks': dns.VirtualNetworkLink,
    'Microsoft.Storage/storageAccounts': storage.StorageAccountUpdateParameters,
}
ENUMS = {
    'ipsecEncryption': network.IpsecEncryption, 'ipsecIntegrity': network.IpsecIntegrity, 'ikeEncryption': network.IkeEncryption, 'ikeIntegrity': network.IkeIntegrity,
    'dhGroup': network.DhGroup, 'pfsGroup': network.PfsGroup, 'gatewayType': network.VirtualNetworkGatewayType, 'vpnType': network.VpnType,
    'vpnGatewayGeneration': network.VpnGatewayGeneration, 'connectionType': network.VirtualNetworkGatewayConnectionType,
    'connectionProtocol': network.VirtualNetworkGatewayConnectionProtocol, 'vpnClientProtocols': network.VpnClientProtocol,
    'vpnAuthenticationTypes': network.VpnAuthenticationType, 'publicIPAllocationMethod': network.IPAllocationMethod,
    'privateIPAllocationMethod': network.IPAllocationMethod, 'minimumTlsVersion': storage.MinimumTlsVersion,
}
# Of a template, not of a resource.
TEMPLATE_KEYS = {'apiVersion', 'dependsOn', 'type', 'name'}


def lost(before, after, path):
    if isinstance(before, dict):
        if not isinstance(after, dict):
            return [path]
        return [it for key, value in before.items() for it in (lost(value, after[key], f'{path}.{key}') if key in after else [f'{path}.{key}'])]
    if isinstance(before, list):
        if not isinstance(after, list) or len(before) != len(after):
            return [path]
        return [it for index, value in enumerate(before) for it in lost(value, after[index], f'{path}[{index}]')]
    return [] if before == after else [path]


def unknown_values(value, path):
    found = []
    for key, inner in (value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
        at = f'{path}.{key}'
        allowed = ENUMS.get(key)
        for one in (inner if isinstance(inner, list) else [inner]) if allowed is not None else ():
            if one not in [member.value for member in allowed]:
                found.append(f'{at}={one}')
        found += unknown_values(inner, at)
    return found


def main():
    result = {'lost': [], 'unknownValues': []}
    for resource in json.load(sys.stdin)['resources']:
        body = {key: value for key, value in resource.items() if key not in TEMPLATE_KEYS}
        name = f"{resource['type']} {resource['name']}"
        written = MODELS[resource['type']].deserialize(json.loads(json.dumps(body))).serialize()
        result['lost'] += lost(body, written, name)
        result['unknownValues'] += unknown_values(body, name)
    print(json.dumps(result))


main()
