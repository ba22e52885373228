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

    /** rest --url URL --alias KEY --pdf F --list F --sealed F --out DIR: prints a JSON line for each document that was signed, raised and judged. */
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
        c.followed(key, xml, text, new RemoteDocument(pdf, "page.pdf"), dir);
        c.visible(key, pdf, dir);
        c.judged("sealed", dir.resolve("sealed.xml"), new RemoteDocument(Files.readAllBytes(Path.of(a.need("--sealed"))), "sealed.xml"));
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

    private RemoteDocument signed(RemoteKeyEntry key, RemoteDocument in, RemoteSignatureParameters p) throws Exception {
        ToBeSignedDTO data = call("signature/one-document/getDataToSign", new DataToSignOneDocumentDTO(in, p), ToBeSignedDTO.class);
        SignatureValueDTO value = call("server-signing/sign/" + key.getAlias() + "/SHA256", data, SignatureValueDTO.class);
        return call("signature/one-document/signDocument", new SignOneDocumentDTO(in, p, value), RemoteDocument.class);
    }

    /** Signatures that name the policy they follow. */
    private void followed(RemoteKeyEntry key, RemoteDocument xml, RemoteDocument text, RemoteDocument pdf, Path dir) throws Exception {
        byte[] digest = java.security.MessageDigest.getInstance("SHA-256").digest("The policy.".getBytes(StandardCharsets.UTF_8));
        for (SignatureLevel level : List.of(SignatureLevel.XAdES_BASELINE_B, SignatureLevel.CAdES_BASELINE_B, SignatureLevel.PAdES_BASELINE_B, SignatureLevel.JAdES_BASELINE_B)) {
            SignatureForm form = level.getSignatureForm();
            RemoteSignatureParameters p = parameters(key, level);
            p.setSignaturePackaging(form == SignatureForm.XAdES || form == SignatureForm.PAdES ? SignaturePackaging.ENVELOPED : SignaturePackaging.ENVELOPING);
            if (form == SignatureForm.JAdES) p.setJwsSerializationType(JWSSerializationType.COMPACT_SERIALIZATION);
            RemoteBLevelParameters b = p.getBLevelParams();
            b.setPolicyId("urn:oid:1.2.3.4");
            b.setPolicyQualifier(ObjectIdentifierQualifier.OID_AS_URN);
            b.setPolicyDigestAlgorithm(DigestAlgorithm.SHA256);
            b.setPolicyDigestValue(digest);
            b.setPolicySpuri("https://policy.example/p");
            if (form == SignatureForm.XAdES || form == SignatureForm.JAdES) b.setPolicyDescription("How we sign");
            RemoteDocument in = form == SignatureForm.XAdES ? xml : form == SignatureForm.PAdES ? pdf : text;
            String ending = form == SignatureForm.XAdES ? "xml" : form == SignatureForm.PAdES ? "pdf" : form == SignatureForm.CAdES ? "p7m" : "json";
            judged("policy-" + form, dir.resolve("policy-" + form + "." + ending), signed(key, in, p));
        }
        RemoteSignatureParameters p = parameters(key, SignatureLevel.XAdES_BASELINE_B);
        p.setSignaturePackaging(SignaturePackaging.ENVELOPING);
        p.setEmbedXML(true);
        p.getBLevelParams().setSignedAssertions(List.of("<saml:Assertion xmlns:saml='urn:oasis:names:tc:SAML:2.0:assertion' ID='_1'/>"));
        judged("embedded", dir.resolve("embedded.xml"), signed(key, xml, p));
        RemoteSignatureParameters q = parameters(key, SignatureLevel.XAdES_BASELINE_T);
        q.setSignaturePackaging(SignaturePackaging.INTERNALLY_DETACHED);
        judged("internally-detached", dir.resolve("internally-detached.xml"), signed(key, xml, q));
    }

    /** A visible signature of one look; 0 is no width and height. */
    private record Look(String name, int turned, VisualSignatureRotation rotation, VisualSignatureAlignmentHorizontal h, VisualSignatureAlignmentVertical v, float width, float height, ImageScaling scaling, String text, SignerTextPosition position) {}

    /** Signs visibly with the service, and with DSS itself as the same parameters say: prints where each put the signature. */
    private void visible(RemoteKeyEntry key, byte[] pdf, Path dir) throws Exception {
        java.awt.image.BufferedImage m = new java.awt.image.BufferedImage(40, 20, java.awt.image.BufferedImage.TYPE_INT_RGB);
        java.io.ByteArrayOutputStream png = new java.io.ByteArrayOutputStream();
        javax.imageio.ImageIO.write(m, "png", png);
        var none = VisualSignatureRotation.NONE;
        var h = VisualSignatureAlignmentHorizontal.NONE;
        var v = VisualSignatureAlignmentVertical.NONE;
        int page = 0;
        for (Look l : List.of(
                new Look("plain", 0, none, h, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("by-the-picture", 0, none, h, v, 0, 0, ImageScaling.STRETCH, null, null),
                new Look("centre", 0, none, VisualSignatureAlignmentHorizontal.CENTER, VisualSignatureAlignmentVertical.MIDDLE, 100, 50, ImageScaling.CENTER, null, null),
                new Look("lower-right", 0, none, VisualSignatureAlignmentHorizontal.RIGHT, VisualSignatureAlignmentVertical.BOTTOM, 100, 50, ImageScaling.ZOOM_AND_CENTER, null, null),
                new Look("turned-90", 0, VisualSignatureRotation.ROTATE_90, h, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("turned-180", 0, VisualSignatureRotation.ROTATE_180, h, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("turned-270", 0, VisualSignatureRotation.ROTATE_270, VisualSignatureAlignmentHorizontal.RIGHT, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("page-90-upright", 90, VisualSignatureRotation.AUTOMATIC, h, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("page-180-upright", 180, VisualSignatureRotation.AUTOMATIC, h, VisualSignatureAlignmentVertical.BOTTOM, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("page-270-upright", 270, VisualSignatureRotation.AUTOMATIC, VisualSignatureAlignmentHorizontal.CENTER, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("page-90", 90, none, h, v, 100, 50, ImageScaling.STRETCH, null, null),
                new Look("text-left", 0, none, h, v, 200, 60, ImageScaling.STRETCH, "Ada Signer", SignerTextPosition.LEFT),
                new Look("text-right", 0, none, h, v, 200, 60, ImageScaling.ZOOM_AND_CENTER, "Ada Signer", SignerTextPosition.RIGHT),
                new Look("text-top", 90, VisualSignatureRotation.AUTOMATIC, h, v, 120, 90, ImageScaling.STRETCH, "Ada Signer", SignerTextPosition.TOP))) {
            byte[] in = pdf;
            if (l.turned != 0) {
                try (var d = org.apache.pdfbox.Loader.loadPDF(pdf); var out = new java.io.ByteArrayOutputStream()) {
                    d.getPage(0).setRotation(l.turned);
                    d.save(out);
                    in = out.toByteArray();
                }
            }
            RemoteSignatureFieldParameters f = new RemoteSignatureFieldParameters();
            f.setOriginX(20f);
            f.setOriginY(30f);
            f.setWidth(l.width);
            f.setHeight(l.height);
            f.setRotation(l.rotation);
            f.setPage(1);
            RemoteSignatureImageParameters i = new RemoteSignatureImageParameters();
            i.setFieldParameters(f);
            i.setImage(new RemoteDocument(png.toByteArray(), "seal.png"));
            i.setAlignmentHorizontal(l.h);
            i.setAlignmentVertical(l.v);
            i.setImageScaling(l.scaling);
            i.setDpi(144);
            if (l.text != null) {
                RemoteSignatureImageTextParameters t = new RemoteSignatureImageTextParameters();
                t.setText(l.text);
                t.setSize(10);
                t.setSignerTextPosition(l.position);
                t.setTextColor(new RemoteColor(0, 0, 255));
                i.setTextParameters(t);
            }
            RemoteSignatureParameters p = parameters(key, SignatureLevel.PAdES_BASELINE_B);
            p.setImageParameters(i);
            RemoteDocument ours = signed(key, new RemoteDocument(in, "page.pdf"), p);
            judged("visible-" + l.name, dir.resolve("visible-" + l.name + ".pdf"), ours);
            byte[] theirs = itself(key, in, png.toByteArray(), l);
            Files.write(dir.resolve("theirs-" + l.name + ".pdf"), theirs);
            System.out.println(json.writeValueAsString(Map.of("name", "place-" + l.name, "ours", place(ours.getBytes()), "theirs", place(theirs))));
        }
    }

    /** The signature that DSS makes by itself, with the key of the service. */
    private byte[] itself(RemoteKeyEntry key, byte[] in, byte[] png, Look l) throws Exception {
        var i = new eu.europa.esig.dss.pades.SignatureImageParameters();
        i.setImage(new eu.europa.esig.dss.model.InMemoryDocument(png, "seal.png", MimeTypeEnum.PNG));
        i.setAlignmentHorizontal(l.h);
        i.setAlignmentVertical(l.v);
        i.setImageScaling(l.scaling);
        i.setDpi(144);
        var f = new eu.europa.esig.dss.pades.SignatureFieldParameters();
        f.setOriginX(20f);
        f.setOriginY(30f);
        f.setWidth(l.width);
        f.setHeight(l.height);
        f.setRotation(l.rotation);
        i.setFieldParameters(f);
        if (l.text != null) {
            var t = new eu.europa.esig.dss.pades.SignatureImageTextParameters();
            t.setText(l.text);
            t.setSignerTextPosition(l.position);
            var font = eu.europa.esig.dss.pades.DSSFileFont.initializeDefault();
            font.setSize(10);
            t.setFont(font);
            i.setTextParameters(t);
        }
        var p = new eu.europa.esig.dss.pades.PAdESSignatureParameters();
        p.setSignatureLevel(SignatureLevel.PAdES_BASELINE_B);
        p.setDigestAlgorithm(DigestAlgorithm.SHA256);
        p.setSigningCertificate(eu.europa.esig.dss.spi.DSSUtils.loadCertificate(key.getCertificate().getEncodedCertificate()));
        p.setImageParameters(i);
        var service = new eu.europa.esig.dss.pades.signature.PAdESService(new eu.europa.esig.dss.spi.validation.CommonCertificateVerifier());
        service.setPdfObjFactory(new eu.europa.esig.dss.pdf.pdfbox.PdfBoxNativeObjectFactory());
        var document = new eu.europa.esig.dss.model.InMemoryDocument(in, "page.pdf", MimeTypeEnum.PDF);
        ToBeSignedDTO data = new ToBeSignedDTO(service.getDataToSign(document, p).getBytes());
        SignatureValueDTO value = call("server-signing/sign/" + key.getAlias() + "/SHA256", data, SignatureValueDTO.class);
        try (var out = new java.io.ByteArrayOutputStream()) {
            service.signDocument(document, p, new eu.europa.esig.dss.model.SignatureValue(value.getAlgorithm(), value.getValue())).writeTo(out);
            return out.toByteArray();
        }
    }

    /** Left, bottom, right, top of the last signature field. */
    private static List<Float> place(byte[] pdf) throws Exception {
        try (var d = org.apache.pdfbox.Loader.loadPDF(pdf)) {
            var fields = d.getSignatureFields();
            var r = fields.get(fields.size() - 1).getWidgets().get(0).getRectangle();
            return List.of(r.getLowerLeftX(), r.getLowerLeftY(), r.getUpperRightX(), r.getUpperRightY());
        }
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
            "signatures", r.getDiagnosticData().getSignatures().size(), "records", r.getDiagnosticData().getEvidenceRecords().size(), "etsi", etsi.length)));
    }
}
