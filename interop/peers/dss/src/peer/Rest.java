// SPDX-License-Identifier: EUPL-1.2
package peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.module.jakarta.xmlbind.JakartaXmlBindAnnotationModule;
import eu.europa.esig.dss.enumerations.*;
import eu.europa.esig.dss.simplereport.jaxb.*;
import eu.europa.esig.dss.ws.cert.validation.dto.*;
import eu.europa.esig.dss.ws.dto.*;
import eu.europa.esig.dss.ws.server.signing.dto.RemoteKeyEntry;
import eu.europa.esig.dss.ws.signature.dto.*;
import eu.europa.esig.dss.ws.signature.dto.parameters.*;
import eu.europa.esig.dss.ws.validation.dto.*;
import java.net.URI;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

/** A client of the REST services: the classes of the requests and answers are those that DSS publishes, read and written as its own client does. */
final class Rest {
    private final ObjectMapper json = new ObjectMapper().registerModule(new JakartaXmlBindAnnotationModule());
    private final HttpClient http = HttpClient.newHttpClient();
    private final String base;

    private Rest(String url) {
        base = url + "/services/rest/";
    }

    private <T> T call(String path, Object in, Class<T> out) throws Exception {
        HttpRequest.Builder r = HttpRequest.newBuilder(URI.create(base + path)).header("Accept", "application/json").header("Content-Type", "application/json");
        if (in == null) r.GET();
        else r.POST(HttpRequest.BodyPublishers.ofByteArray(json.writeValueAsBytes(in)));
        HttpResponse<byte[]> a = http.send(r.build(), HttpResponse.BodyHandlers.ofByteArray());
        if (a.statusCode() != 200) throw new IllegalStateException(path + ": " + a.statusCode() + " " + new String(a.body(), StandardCharsets.UTF_8));
        return json.readValue(a.body(), out);
    }

    /** One way to sign: what stands in --out afterwards is NAME-B and NAME-LTA with the ending of the format. */
    private record Kind(String name, SignatureForm form, SignaturePackaging packaging, ASiCContainerType container, String ending) {}

    /** rest --url URL --alias KEY --out DIR: prints a JSON line for each document that was signed, raised and judged. */
    static void run(Args a) throws Exception {
        Rest c = new Rest(a.need("--url"));
        Path dir = Path.of(a.need("--out"));
        Files.createDirectories(dir);
        byte[] pdf = Files.readAllBytes(Path.of(a.need("--pdf")));
        RemoteKeyEntry key = c.call("server-signing/key/" + a.need("--alias"), null, RemoteKeyEntry.class);
        RemoteKeyEntry[] all = c.call("server-signing/keys", null, RemoteKeyEntry[].class);
        if (all.length == 0 || key.getEncryptionAlgo() == null) throw new IllegalStateException("no keys");
        RemoteDocument xml = new RemoteDocument("<order><line n='1'/></order>".getBytes(StandardCharsets.UTF_8), "order.xml");
        RemoteDocument text = new RemoteDocument("Hello".getBytes(StandardCharsets.UTF_8), "hello.txt");
        for (Kind k : List.of(
                new Kind("xades-enveloped", SignatureForm.XAdES, SignaturePackaging.ENVELOPED, null, "xml"),
                new Kind("xades-enveloping", SignatureForm.XAdES, SignaturePackaging.ENVELOPING, null, "xml"),
                new Kind("cades", SignatureForm.CAdES, SignaturePackaging.ENVELOPING, null, "p7m"),
                new Kind("pades", SignatureForm.PAdES, SignaturePackaging.ENVELOPED, null, "pdf"),
                new Kind("jades", SignatureForm.JAdES, SignaturePackaging.ENVELOPING, null, "json"),
                new Kind("asic-e", SignatureForm.XAdES, null, ASiCContainerType.ASiC_E, "asice"),
                new Kind("asic-e-cades", SignatureForm.CAdES, null, ASiCContainerType.ASiC_E, "asice"),
                new Kind("asic-s", SignatureForm.CAdES, null, ASiCContainerType.ASiC_S, "asics"))) {
            RemoteDocument in = k.form == SignatureForm.PAdES ? new RemoteDocument(pdf, "page.pdf") : k.name.equals("xades-enveloped") ? xml : text;
            RemoteSignatureParameters p = new RemoteSignatureParameters();
            p.setSigningCertificate(key.getCertificate());
            p.setCertificateChain(Arrays.asList(key.getCertificateChain()));
            p.setSignatureLevel(SignatureLevel.valueByName(k.form.name() + "-BASELINE-B"));
            p.setSignaturePackaging(k.packaging);
            p.setAsicContainerType(k.container);
            p.setDigestAlgorithm(DigestAlgorithm.SHA256);
            if (k.form == SignatureForm.JAdES) p.setJwsSerializationType(JWSSerializationType.FLATTENED_JSON_SERIALIZATION);
            ToBeSignedDTO data = c.call("signature/one-document/getDataToSign", new DataToSignOneDocumentDTO(in, p), ToBeSignedDTO.class);
            SignatureValueDTO value = c.call("server-signing/sign/" + key.getAlias() + "/SHA256", data, SignatureValueDTO.class);
            RemoteDocument signed = c.call("signature/one-document/signDocument", new SignOneDocumentDTO(in, p, value), RemoteDocument.class);
            RemoteDocument raised = c.call("signature/one-document/extendDocument", new ExtendDocumentDTO(signed, SignatureProfile.BASELINE_LTA, new RemoteSignatureParameters()), RemoteDocument.class);
            c.judged(k.name + "-B", dir.resolve(k.name + "-B." + k.ending), signed);
            c.judged(k.name + "-LTA", dir.resolve(k.name + "-LTA." + k.ending), raised);
        }
        c.elsewhere(key, new RemoteDocument(pdf, "page.pdf"), dir);
        c.counterSigned(key, xml, dir);
        c.stamped(new RemoteDocument(pdf, "page.pdf"), text, xml, dir);
        c.listed(key, Files.readAllBytes(Path.of(a.need("--list"))), dir);
        CertificateReportsDTO report = c.call("certificate-validation/validateCertificate", new CertificateToValidateDTO(key.getCertificate(), null, null), CertificateReportsDTO.class);
        System.out.println(c.json.writeValueAsString(Map.of("name", "certificate", "indication", report.getSimpleCertificateReport().getCertificate().getIndication().toString())));
    }

    private static RemoteSignatureParameters parameters(RemoteKeyEntry key, SignatureLevel level) {
        RemoteSignatureParameters p = new RemoteSignatureParameters();
        p.setSigningCertificate(key.getCertificate());
        p.setCertificateChain(Arrays.asList(key.getCertificateChain()));
        p.setSignatureLevel(level);
        p.setDigestAlgorithm(DigestAlgorithm.SHA256);
        return p;
    }

    /** The message of a PDF signature is made apart from the document. */
    private void elsewhere(RemoteKeyEntry key, RemoteDocument pdf, Path dir) throws Exception {
        RemoteSignatureParameters p = parameters(key, SignatureLevel.PAdES_BASELINE_B);
        DigestDTO digest = call("signature/pades-external-cms/getMessageDigest", new PDFExternalMessageDigestDTO(pdf, p), DigestDTO.class);
        ToBeSignedDTO data = call("signature/external-cms/getDataToSign", new DataToSignExternalCmsDTO(digest, p), ToBeSignedDTO.class);
        SignatureValueDTO value = call("server-signing/sign/" + key.getAlias() + "/SHA256", data, SignatureValueDTO.class);
        RemoteDocument message = call("signature/external-cms/signMessageDigest", new SignMessageDigestExternalCmsDTO(digest, p, value), RemoteDocument.class);
        RemoteDocument signed = call("signature/pades-external-cms/signDocument", new PDFExternalSignDocumentDTO(pdf, p, message), RemoteDocument.class);
        RemoteDocument raised = call("signature/one-document/extendDocument", new ExtendDocumentDTO(signed, SignatureProfile.BASELINE_LTA, new RemoteSignatureParameters()), RemoteDocument.class);
        judged("external-cms", dir.resolve("external-cms.pdf"), raised);
    }

    private void counterSigned(RemoteKeyEntry key, RemoteDocument xml, Path dir) throws Exception {
        RemoteSignatureParameters p = parameters(key, SignatureLevel.XAdES_BASELINE_B);
        p.setSignaturePackaging(SignaturePackaging.ENVELOPED);
        ToBeSignedDTO data = call("signature/one-document/getDataToSign", new DataToSignOneDocumentDTO(xml, p), ToBeSignedDTO.class);
        SignatureValueDTO value = call("server-signing/sign/" + key.getAlias() + "/SHA256", data, SignatureValueDTO.class);
        RemoteDocument signed = call("signature/one-document/signDocument", new SignOneDocumentDTO(xml, p, value), RemoteDocument.class);
        data = call("signature/one-document/getDataToBeCounterSigned", new DataToBeCounterSignedDTO(signed, p), ToBeSignedDTO.class);
        value = call("server-signing/sign/" + key.getAlias() + "/SHA256", data, SignatureValueDTO.class);
        judged("counter-signature", dir.resolve("counter-signature.xml"), call("signature/one-document/counterSignSignature", new CounterSignSignatureDTO(signed, p, value), RemoteDocument.class));
    }

    private void stamped(RemoteDocument pdf, RemoteDocument text, RemoteDocument xml, Path dir) throws Exception {
        for (TimestampContainerForm form : TimestampContainerForm.values()) {
            RemoteTimestampParameters p = new RemoteTimestampParameters(form, DigestAlgorithm.SHA512);
            RemoteDocument in = form == TimestampContainerForm.PDF ? pdf : text;
            judged("timestamp-" + form, dir.resolve("timestamp-" + form + (form == TimestampContainerForm.PDF ? ".pdf" : form == TimestampContainerForm.ASiC_S ? ".asics" : ".asice")),
                call("signature/one-document/timestampDocument", new TimestampOneDocumentDTO(in, p), RemoteDocument.class));
        }
        RemoteTimestampParameters p = new RemoteTimestampParameters(TimestampContainerForm.ASiC_E, DigestAlgorithm.SHA256);
        judged("timestamp-many", dir.resolve("timestamp-many.asice"), call("signature/multiple-documents/timestampDocument", new TimestampMultipleDocumentDTO(List.of(text, xml), p), RemoteDocument.class));
    }

    private void listed(RemoteKeyEntry key, byte[] list, Path dir) throws Exception {
        RemoteTrustedListSignatureParameters p = new RemoteTrustedListSignatureParameters();
        p.setSigningCertificate(key.getCertificate());
        p.setBLevelParameters(new RemoteBLevelParameters());
        p.setTlVersion("6");
        RemoteDocument in = new RemoteDocument(list, "tl.xml");
        ToBeSignedDTO data = call("signature/trusted-list/getDataToSign", new DataToSignTrustedListDTO(in, p), ToBeSignedDTO.class);
        SignatureValueDTO value = call("server-signing/sign/" + key.getAlias() + "/SHA512", data, SignatureValueDTO.class);
        judged("trusted-list", dir.resolve("trusted-list.xml"), call("signature/trusted-list/signDocument", new SignTrustedListDTO(in, p, value), RemoteDocument.class));
    }

    private void judged(String name, Path file, RemoteDocument d) throws Exception {
        Files.write(file, d.getBytes());
        WSReportsDTO r = call("validation/validateSignature", new DataToValidateDTO(d, (RemoteDocument) null, null), WSReportsDTO.class);
        XmlSimpleReport s = r.getSimpleReport();
        XmlToken t = s.getSignatureOrTimestampOrEvidenceRecord().get(0);
        byte[] etsi = r.getValidationReportDataHandler().getInputStream().readAllBytes();
        System.out.println(json.writeValueAsString(Map.of("name", name, "file", file.toString(), "called", d.getName(), "indication", t.getIndication().toString(), "valid", s.getValidSignaturesCount(),
            "blocks", r.getDetailedReport().getBasicBuildingBlocks().size(), "certificates", r.getDiagnosticData().getUsedCertificates().size(),
            "signatures", r.getDiagnosticData().getSignatures().size(), "etsi", etsi.length)));
    }
}
