// SPDX-License-Identifier: EUPL-1.2
package peer;

import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.service.http.commons.FileCacheDataLoader;
import eu.europa.esig.dss.spi.client.http.MemoryDataLoader;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.tsl.*;
import eu.europa.esig.dss.spi.tsl.TrustedListsCertificateSource;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.tsl.job.TLValidationJob;
import eu.europa.esig.dss.tsl.source.LOTLSource;
import java.nio.file.*;
import java.time.Instant;
import java.util.*;

/** Loads a list of lists and the lists that it points at from files, and verifies documents under them. */
final class Lists {
    /** Prints one line about each list, then one about each document. */
    static void run(Args a) throws Exception {
        Map<String, byte[]> web = new HashMap<>();
        for (String m : a.all("--map")) {
            int at = m.lastIndexOf('=');
            web.put(m.substring(0, at), Files.readAllBytes(Path.of(m.substring(at + 1))));
        }
        CommonTrustedCertificateSource signers = new CommonTrustedCertificateSource();
        for (CertificateToken c : Sources.certificates(a.all("--signer"), new ArrayList<>())) signers.addCertificate(c);
        FileCacheDataLoader loader = new FileCacheDataLoader(new MemoryDataLoader(web));
        loader.setFileCacheDirectory(Files.createTempDirectory("lists").toFile());
        loader.setCacheExpirationTime(0);
        LOTLSource lotl = new LOTLSource();
        lotl.setUrl(a.need("--lotl"));
        lotl.setCertificateSource(signers);
        lotl.setPivotSupport(a.has("--announcement"));
        if (a.has("--announcement"))
            lotl.setSigningCertificatesAnnouncementPredicate(new eu.europa.esig.dss.tsl.function.OfficialJournalSchemeInformationURI(a.need("--announcement")));
        TLValidationJob job = new TLValidationJob();
        job.setOnlineDataLoader(loader);
        job.setListOfTrustedListSources(lotl);
        TrustedListsCertificateSource trusted = new TrustedListsCertificateSource();
        job.setTrustedListCertificateSource(trusted);
        job.onlineRefresh();
        TLValidationJobSummary s = trusted.getSummary();
        for (LOTLInfo l : s.getLOTLInfos()) {
            tell(l);
            for (TLInfo t : l.getTLInfos()) tell(t);
        }
        Date time = a.has("--time") ? Date.from(Instant.parse(a.need("--time"))) : null;
        for (String f : a.files) {
            CommonCertificateVerifier v = new CommonCertificateVerifier(true);
            v.setTrustedCertSources(trusted);
            if (a.has("--crl")) v.setCrlSource(new ExternalResourcesCRLSource(Main.documents(a.all("--crl")).toArray(DSSDocument[]::new)));
            System.out.println(Json.write(Verify.file(Path.of(f), f, new Verify.Inputs(List.of(), Path.of("")), v, false, time, null, null)));
        }
    }

    private static void tell(TLInfo t) {
        ParsingInfoRecord p = t.getParsingCacheInfo();
        ValidationInfoRecord v = t.getValidationCacheInfo();
        System.out.println(Json.write(Json.object("list", t.getUrl(), "territory", p.isResultExist() ? p.getTerritory() : null,
            "sequence", p.isResultExist() ? p.getSequenceNumber() : null, "structure", p.isResultExist() && p.getStructureValidationMessages() != null ? p.getStructureValidationMessages() : List.of(),
            "services", p.isResultExist() ? p.getTSNumber() : null, "certificates", p.isResultExist() ? p.getCertNumber() : null,
            "indication", v.isResultExist() ? v.getIndication().name() : null, "subIndication", v.isResultExist() && v.getSubIndication() != null ? v.getSubIndication().name() : null,
            "error", t.getDownloadCacheInfo().isError() ? t.getDownloadCacheInfo().getExceptionMessage() : p.isError() ? p.getExceptionMessage() : v.isError() ? v.getExceptionMessage() : null)));
    }
}
