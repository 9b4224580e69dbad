"""Who may ask what: every root field and, where it differs from the field that leads there, every other field.

Looked up before anything is executed. A test holds the table and the schema together: a root field that is missing here, or
an entry that names no field, fails it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.access import Actor, Permission, require
from core.errors import Forbidden

ANY_TOKEN = None
"""A valid token is enough."""

PUBLISHED = Permission.READ
"""Of root fields that a published data model has added."""

PERMISSIONS: Mapping[str, Permission | None] = {
    "Query.node": Permission.READ,  # what it leads to is asked for again in `nodes.py`
    "Query.nodes": Permission.READ,
    # accounts
    "Query.viewer": ANY_TOKEN,
    "Query.apiToken": Permission.ADMINISTER,
    "Query.apiTokens": Permission.ADMINISTER,
    "Mutation.createApiToken": Permission.ADMINISTER,
    "Mutation.revokeApiToken": Permission.ADMINISTER,
    # the data model
    "Query.dataModel": Permission.READ,
    "Query.dataModelVersions": Permission.MODEL_DATA,
    "Query.dataModelDraft": Permission.MODEL_DATA,
    "Query.dataModelPreview": Permission.MODEL_DATA,
    "Query.hiddenData": Permission.MODEL_DATA,
    "Query.dataModelBuilds": Permission.MODEL_DATA,
    "Mutation.saveDataset": Permission.MODEL_DATA,
    "Mutation.removeDataset": Permission.MODEL_DATA,
    "Mutation.saveDataField": Permission.MODEL_DATA,
    "Mutation.removeDataField": Permission.MODEL_DATA,
    "Mutation.saveLink": Permission.MODEL_DATA,
    "Mutation.removeLink": Permission.MODEL_DATA,
    "Mutation.saveKey": Permission.MODEL_DATA,
    "Mutation.removeKey": Permission.MODEL_DATA,
    "Mutation.saveIndex": Permission.MODEL_DATA,
    "Mutation.removeIndex": Permission.MODEL_DATA,
    "Mutation.retryDataModelBuild": Permission.MODEL_DATA,
    "Mutation.discardDataModelDraft": Permission.MODEL_DATA,
    "Mutation.publishDataModel": Permission.MODEL_DATA,
    "Mutation.rollBackDataModel": Permission.MODEL_DATA,
    "Mutation.dropHiddenData": Permission.MODEL_DATA,
    # rows of datasets
    "Query.datasetRow": Permission.READ,
    "Query.datasetRows": Permission.READ,
    "Mutation.createDatasetRow": Permission.EDIT,
    "Mutation.updateDatasetRow": Permission.EDIT,
    "Mutation.upsertDatasetRow": Permission.EDIT,
    "Mutation.deleteDatasetRow": Permission.EDIT,
    "Mutation.saveDatasetRows": Permission.EDIT,
    "Mutation.deleteDatasetRows": Permission.EDIT,
    "Mutation.changeDatasetLinks": Permission.EDIT,
    # profiles
    "Query.profile": Permission.READ,
    "Query.profileBy": Permission.READ,
    "Query.profiles": Permission.READ,
    "Query.searchProfiles": Permission.READ,
    "Query.duplicateProfiles": Permission.READ,
    "Query.mergePreview": Permission.READ,
    "Query.profileMerge": Permission.READ,
    "Query.profileMerges": Permission.READ,
    "Query.quarantine": Permission.READ,
    "Query.quarantineEntry": Permission.READ,
    "Query.auditReferences": Permission.ADMINISTER,
    "Query.quarantineSettings": Permission.READ,
    "Query.quarantineCount": Permission.ADMINISTER,
    "Query.shortCodeStops": Permission.READ,
    "Query.suppressionList": Permission.READ,
    "Query.suppressionLists": Permission.READ,
    "Query.suppressedBy": Permission.READ,
    "Query.suppressionImport": Permission.READ,
    "Query.suppressionImports": Permission.READ,
    "Query.suppressionExport": Permission.READ,
    "Query.suppressionExports": Permission.READ,
    "Mutation.createProfile": Permission.EDIT,
    "Mutation.updateProfile": Permission.EDIT,
    "Mutation.deleteProfile": Permission.EDIT,
    "Mutation.mergeProfiles": Permission.EDIT,
    "Mutation.undoMerge": Permission.EDIT,
    "Mutation.quarantineAddresses": Permission.ADMINISTER,
    "Mutation.releaseAddresses": Permission.ADMINISTER,
    "Mutation.updateQuarantineSettings": Permission.ADMINISTER,
    "Mutation.correctQuarantine": Permission.ADMINISTER,
    "Mutation.recordComplaint": Permission.EDIT,
    "Mutation.recordStop": Permission.EDIT,
    "Mutation.liftStop": Permission.EDIT,
    "Mutation.createSuppressionList": Permission.ADMINISTER,
    "Mutation.updateSuppressionList": Permission.ADMINISTER,
    "Mutation.deleteSuppressionList": Permission.ADMINISTER,
    "Mutation.addSuppressionEntries": Permission.ADMINISTER,
    "Mutation.removeSuppressionEntries": Permission.ADMINISTER,
    "Mutation.createSuppressionImport": Permission.ADMINISTER,
    "Mutation.renewSuppressionImportUpload": Permission.ADMINISTER,
    "Mutation.startSuppressionImport": Permission.ADMINISTER,
    "Mutation.cancelSuppressionImport": Permission.ADMINISTER,
    "Mutation.createSuppressionRejectsDownload": Permission.ADMINISTER,
    "Mutation.createSuppressionExport": Permission.EXPORT,
    "Mutation.cancelSuppressionExport": Permission.EXPORT,
    "Mutation.createSuppressionExportDownload": Permission.EXPORT,
    "Subscription.suppressionImportProgress": Permission.READ,
    # privacy
    "Query.privacyNamespaces": Permission.PRIVACY,
    "Query.privacyRequest": Permission.PRIVACY,
    "Query.privacyRequests": Permission.PRIVACY,
    "Query.verifyErasure": Permission.PRIVACY,
    "Mutation.createPrivacyNamespace": Permission.PRIVACY,
    "Mutation.deletePrivacyNamespace": Permission.PRIVACY,
    "Mutation.createPrivacyRequest": Permission.PRIVACY,
    "Mutation.confirmPrivacyRequest": Permission.PRIVACY,
    "Mutation.retryPrivacyRequest": Permission.PRIVACY,
    "Mutation.createPrivacyDownload": Permission.PRIVACY,
    # imports and exports
    "Query.import": Permission.READ,
    "Query.imports": Permission.READ,
    "Query.export": Permission.READ,
    "Query.exports": Permission.READ,
    "Query.importPreview": Permission.IMPORT,
    "Query.importRejects": Permission.IMPORT,
    "Query.importTemplate": Permission.READ,
    "Query.importTemplates": Permission.READ,
    "Mutation.createImportTemplate": Permission.ADMINISTER,
    "Mutation.updateImportTemplate": Permission.ADMINISTER,
    "Mutation.createImport": Permission.IMPORT,
    "Mutation.renewImportUpload": Permission.IMPORT,
    "Mutation.startImport": Permission.IMPORT,
    "Mutation.cancelImport": Permission.IMPORT,
    "Mutation.createRejectsDownload": Permission.IMPORT,
    "Mutation.createExport": Permission.EXPORT,
    "Mutation.cancelExport": Permission.EXPORT,
    "Mutation.createExportDownload": Permission.EXPORT,
    "Subscription.importProgress": Permission.READ,
    "Subscription.exportProgress": Permission.READ,
    # consent
    "Query.service": Permission.READ,
    "Query.serviceByName": Permission.READ,
    "Query.services": Permission.READ,
    "Query.purpose": Permission.READ,
    "Query.purposes": Permission.READ,
    "Query.consentWordings": Permission.READ,
    "Query.subscriptionHistory": Permission.READ,
    "Query.consentLedger": Permission.READ,
    "Query.preferences": Permission.PREFERENCES,  # by a profile's id READ as well, see `core.consent.preferences`
    "Mutation.createService": Permission.EDIT,
    "Mutation.updateService": Permission.EDIT,
    "Mutation.deleteService": Permission.EDIT,
    "Mutation.createPurpose": Permission.EDIT,
    "Mutation.updatePurpose": Permission.EDIT,
    "Mutation.deletePurpose": Permission.EDIT,
    "Mutation.addConsentWording": Permission.EDIT,
    "Mutation.subscribeProfiles": Permission.EDIT,
    "Mutation.unsubscribeProfiles": Permission.EDIT,
    "Mutation.decidePurpose": Permission.EDIT,
    "Mutation.setPreferences": Permission.PREFERENCES,  # by a profile's id EDIT as well
    "Mutation.confirmSubscription": Permission.PREFERENCES,
    # business events
    "Query.eventTypes": Permission.READ,
    "Query.eventType": Permission.READ,
    "Mutation.saveEventType": Permission.MODEL_DATA,
    "Mutation.removeEventType": Permission.MODEL_DATA,
    "Mutation.recordEvents": Permission.IMPORT,
    # targeting
    "Query.target": Permission.READ,
    "Query.targetFields": Permission.READ,
    "Query.targetEntities": Permission.READ,
    "Query.segmentation": Permission.READ,
    "Query.audience": Permission.READ,
    "Query.audiences": Permission.READ,
    "Mutation.createAudience": Permission.EDIT,
    "Mutation.updateAudience": Permission.EDIT,
    "Mutation.deleteAudience": Permission.EDIT,
    "Mutation.createList": Permission.EDIT,
    "Mutation.freezeAudience": Permission.EDIT,
    "Mutation.createSegmentLists": Permission.EDIT,
    "Mutation.addToList": Permission.EDIT,
    "Mutation.removeFromList": Permission.EDIT,
    "Mutation.keepAudience": Permission.EDIT,
    "Mutation.releaseAudience": Permission.EDIT,
    "Subscription.audienceChanges": Permission.READ,
    # content
    "Query.content": Permission.READ,
    "Query.fragment": Permission.READ,
    "Query.contents": Permission.READ,
    "Query.fragments": Permission.READ,
    "Query.contentWarnings": Permission.READ,
    "Query.preview": Permission.READ,
    "Mutation.createContent": Permission.EDIT,
    "Mutation.createFragment": Permission.EDIT,
    "Mutation.updateContent": Permission.EDIT,
    "Mutation.updateFragment": Permission.EDIT,
    "Mutation.deleteContent": Permission.EDIT,
    "Mutation.deleteFragment": Permission.EDIT,
    "Mutation.createAttachmentUpload": Permission.EDIT,
    # planning
    "Query.campaign": Permission.READ,
    "Query.campaigns": Permission.READ,
    "Query.channels": Permission.READ,
    "Query.channelAccount": Permission.READ,
    "Query.channelAccounts": Permission.READ,
    "Mutation.createCampaign": Permission.EDIT,
    "Mutation.updateCampaign": Permission.EDIT,
    "Mutation.deleteCampaign": Permission.EDIT,
    "Mutation.createChannelAccount": Permission.ADMINISTER,
    "Mutation.updateChannelAccount": Permission.ADMINISTER,
    "Mutation.deleteChannelAccount": Permission.ADMINISTER,
    "Mutation.pauseChannelAccount": Permission.ADMINISTER,
    "Mutation.resumeChannelAccount": Permission.ADMINISTER,
    # delivery
    "Query.delivery": Permission.READ,
    "Query.deliveries": Permission.READ,
    "Mutation.createDelivery": Permission.EDIT,
    "Mutation.updateDelivery": Permission.EDIT,
    "Mutation.deleteDelivery": Permission.EDIT,
    "Mutation.prepareDelivery": Permission.PREPARE,
    "Mutation.stopPreparation": Permission.PREPARE,
    "Mutation.confirmDelivery": Permission.START,
    "Mutation.pauseDelivery": Permission.START,
    "Mutation.resumeDelivery": Permission.START,
    "Mutation.stopDelivery": Permission.START,
    "Mutation.settleDoubtful": Permission.START,
    # tracking and reporting
    "Query.profileHistory": Permission.READ,
    "Query.trackingEvents": Permission.READ,
    "Query.machineRules": Permission.READ,
    "Mutation.createMachineRule": Permission.ADMINISTER,
    "Mutation.updateMachineRule": Permission.ADMINISTER,
    "Mutation.deleteMachineRule": Permission.ADMINISTER,
    "Subscription.trackingEvents": Permission.READ,
    "Subscription.deliveryProgress": Permission.READ,
    # audit
    "Query.auditLog": Permission.ADMINISTER,
}


def check_permissions(actor: Actor, coordinates: Iterable[str]) -> None:
    """Raises Forbidden, naming the first field that the actor may not ask for."""
    for coordinate in coordinates:
        needed = PERMISSIONS.get(coordinate, PUBLISHED if coordinate.startswith("Query.") else None)
        if needed is not None and needed not in actor.permissions:
            try:
                require(actor, needed)
            except Forbidden as error:
                message = f"{coordinate} needs the permission {needed.value!r}"
                raise Forbidden(message, path=coordinate, hint=error.hint) from None
