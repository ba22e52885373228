// SPDX-License-Identifier: EUPL-1.2
package peer;

import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

/** Many documents by many rule sets in one JVM, on several threads: first what each says, then the CPU time of all once more, warm. */
final class Batch {
    /** --list: lines of rules TAB file; rules is vesid:ID, sch:FILE, xslt:FILE or xsd:FILE. --threads N, by default 2. */
    static void run(Args a) throws Exception {
        Map<String, List<String>> work = new LinkedHashMap<>();
        for (String l : Files.readAllLines(a.path("--list"))) {
            String[] t = l.split("\t");
            if (t.length != 2) throw new Args.Usage("not rules TAB file: " + l);
            work.computeIfAbsent(t[0], k -> new ArrayList<>()).add(t[1]);
        }
        var phive = new Phive();
        var pool = Executors.newFixedThreadPool(a.number("--threads", 2));
        work.entrySet().stream().sorted(Comparator.comparing(e -> -e.getValue().size())).forEach(e -> pool.execute(() -> set(phive, e.getKey(), e.getValue(), a.has("--text"))));
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.HOURS);
    }

    /** A line for each document, then one for the rule set. */
    private static void set(Phive phive, String rules, List<String> files, boolean text) {
        Main.Check check;
        long t = System.nanoTime();
        try {
            check = check(phive, rules, text);
        } catch (Throwable e) {
            say(Json.object("rules", rules, "documents", 0, "error", e.getMessage()));
            return;
        }
        double load = (System.nanoTime() - t) / 1e6;
        for (String f : files) {
            Map<String, Object> out = Json.object("rules", rules);
            out.putAll(Main.checked(check, f, Path.of(f), 0));
            say(out);
        }
        var threads = java.lang.management.ManagementFactory.getThreadMXBean(); // of this thread: little disturbed by other load
        long cpu = threads.getCurrentThreadCpuTime();
        for (String f : files) Main.checked(check, f, Path.of(f), 0);
        say(Json.object("rules", rules, "documents", files.size(), "loadMs", load, "cpuMs", (threads.getCurrentThreadCpuTime() - cpu) / 1e6));
    }

    private static Main.Check check(Phive phive, String rules, boolean text) throws Exception {
        String what = rules.substring(rules.indexOf(':') + 1);
        return switch (rules.substring(0, rules.indexOf(':'))) {
            case "vesid" -> Main.phive(phive, what, text);
            case "sch" -> Main.schematron(Schematron.ofSch(Path.of(what), null), null, text);
            case "xslt" -> Main.schematron(Schematron.ofXslt(Path.of(what)), null, text);
            case "xsd" -> Main.xsd(new Xsd(List.of(what)));
            default -> throw new Args.Usage("no such rules: " + rules);
        };
    }

    private static synchronized void say(Map<String, Object> o) { System.out.println(Json.write(o)); }
}
