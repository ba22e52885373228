// SPDX-License-Identifier: EUPL-1.2
package peer;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import javax.xml.parsers.DocumentBuilderFactory;
import org.mustangproject.ZUGFeRD.Profiles;
import org.mustangproject.ZUGFeRD.ZUGFeRDExporterFromA3;
import org.mustangproject.ZUGFeRD.ZUGFeRDImporter;
import org.mustangproject.validator.ZUGFeRDValidator;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.w3c.dom.Element;

/** Checks PDF/A and PDF/UA with veraPDF; validates, reads and writes Factur-X with Mustang. One JSON line a file. */
public final class Main {
    private static final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] argv) {
        System.setOut(System.err); // the libraries write there
        int status;
        try {
            if (argv.length == 0) throw new Args.Usage("check, validate, read or write");
            status = switch (argv[0]) {
                case "check" -> check(new Args(argv, 1, Set.of()));
                case "validate" -> validate(new Args(argv, 1, Set.of()));
                case "read" -> read(new Args(argv, 1, Set.of()));
                case "write" -> write(new Args(argv, 1, Set.of()));
                default -> throw new Args.Usage("unknown command " + argv[0]);
            };
        } catch (Args.Usage e) {
            System.err.println("pdfa: " + e.getMessage());
            status = 2;
        } catch (Exception e) {
            e.printStackTrace();
            status = 3;
        }
        System.exit(status);
    }

    private static int check(Args args) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        int status = 0;
        for (String file : args.files) {
            for (String flavour : args.get("--flavour", "3a,ua1").split(",")) {
                PDFAFlavour f = PDFAFlavour.byFlavourId(flavour);
                try (var parser = Foundries.defaultInstance().createParser(new File(file), f)) {
                    var result = Foundries.defaultInstance().createValidator(f, false).validate(parser);
                    Set<String> failed = new TreeSet<>();
                    for (TestAssertion t : result.getTestAssertions()) {
                        if (t.getStatus() == TestAssertion.Status.FAILED) {
                            failed.add(t.getRuleId().getClause() + "-" + t.getRuleId().getTestNumber() + " " + t.getMessage());
                        }
                    }
                    if (!result.isCompliant()) status = 1;
                    out.println(Json.write(Json.object("file", file, "flavour", flavour, "compliant", result.isCompliant(), "assertions", result.getTotalAssertions(), "failed", failed)));
                }
            }
        }
        return status;
    }

    private static int validate(Args args) throws Exception {
        int status = 0;
        for (String file : args.files) {
            ZUGFeRDValidator v = new ZUGFeRDValidator();
            String report = v.validate(file);
            Element root = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new ByteArrayInputStream(report.getBytes(StandardCharsets.UTF_8))).getDocumentElement();
            List<String> messages = new ArrayList<>();
            for (String kind : List.of("fatal", "exception", "error", "warning")) {
                var list = root.getElementsByTagName(kind);
                for (int i = 0; i < list.getLength(); i++) messages.add(kind + ": " + list.item(i).getTextContent().strip());
            }
            var profiles = root.getElementsByTagName("profile");
            if (!v.wasCompletelyValid()) status = 1;
            out.println(Json.write(Json.object("file", file, "valid", v.wasCompletelyValid(), "pdf", part(root, "pdf"), "xml", part(root, "xml"),
                "profile", profiles.getLength() == 0 ? "" : profiles.item(0).getTextContent(), "messages", messages)));
        }
        return status;
    }

    /** The verdict on one part of a file. */
    private static String part(Element root, String name) {
        for (var n = root.getFirstChild(); n != null; n = n.getNextSibling()) {
            if (n instanceof Element e && e.getTagName().equals(name)) {
                for (var k = e.getLastChild(); k != null; k = k.getPreviousSibling()) {
                    if (k instanceof Element s && s.getTagName().equals("summary")) return s.getAttribute("status");
                }
            }
        }
        return "";
    }

    private static int read(Args args) throws Exception {
        for (String file : args.files) {
            ZUGFeRDImporter i = new ZUGFeRDImporter(file);
            out.println(Json.write(Json.object("file", file, "metadata", i.containsMeta(), "profile", i.getZUGFeRDProfil(), "number", i.getInvoiceID(), "date", i.getIssueDate(), "currency", i.getInvoiceCurrencyCode(),
                "amount", i.getAmount(), "buyer", i.getBuyerTradePartyName(), "iban", i.getIBAN(), "lines", i.getLineItemNodes() == null ? 0 : i.getLineItemNodes().size(), "octets", i.getRawXML().length)));
        }
        return 0;
    }

    private static int write(Args args) throws Exception {
        int version = Integer.parseInt(args.get("--version", "2"));
        var profile = Profiles.getByName(args.need("--profile"), version);
        try (var e = new ZUGFeRDExporterFromA3()) {
            e.ignorePDFAErrors();
            e.load(Files.readAllBytes(Path.of(args.need("--pdf"))));
            e.setProducer("peer").setCreator("peer").setZUGFeRDVersion(version).setProfile(profile);
            if (args.get("--name", "factur-x").equals("zugferd")) e.disableFacturX();
            e.setXML(Files.readAllBytes(Path.of(args.need("--xml"))));
            e.export(args.need("--out"));
        }
        return 0;
    }
}
