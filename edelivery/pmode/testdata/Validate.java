import java.io.File;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import javax.xml.validation.Validator;

/** Says which files do not follow a schema: java Validate.java SCHEMA FILE... */
public class Validate {
    public static void main(String[] args) throws Exception {
        Validator v = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI).newSchema(new File(args[0])).newValidator();
        boolean valid = true;
        for (int i = 1; i < args.length; i++) {
            try {
                v.validate(new StreamSource(new File(args[i])));
            } catch (org.xml.sax.SAXException e) {
                System.err.println(args[i] + ": " + e.getMessage());
                valid = false;
            }
        }
        System.exit(valid ? 0 : 1);
    }
}
