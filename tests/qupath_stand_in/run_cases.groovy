/* Parses or runs scripts, one case after the other in one process, and writes what came of each as JSON. */
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.Phases
import qupath.lib.scripting.QP

def runCase(one, shellLoader) {
    if (one.state == null) {
        // Conversion comes before the classes of QuPath are looked up.
        def unit = new CompilationUnit()
        unit.addSource(new File(one.script))
        unit.compile(Phases.CONVERSION)
        return ''
    }
    QP.setState(one.state)
    def output = new StringWriter()
    def binding = new Binding(one.args == null ? [:] : [args: one.args as String[]])
    binding.setVariable('out', new PrintWriter(output))
    new GroovyShell(shellLoader, binding).evaluate(new File(one.script))
    return output.toString()
}

def described(one) {
    return one.lists ? [objects: QP.hierarchy.described(), isResolved: QP.hierarchy.isResolved] : [:]
}

def results = new JsonSlurper().parse(new File(args[0]), 'UTF-8').collect { one ->
    try {
        [output: runCase(one, this.class.classLoader)] + described(one)
    } catch (Exception problem) {
        [error: "${problem.class.simpleName}: ${problem.message}".toString()] + described(one)
    }
}
new File(args[1]).setText(JsonOutput.toJson(results), 'UTF-8')
