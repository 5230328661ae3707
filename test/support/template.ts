/** The migrated database that every test file's own is cloned from. */
export const templateDatabase = "template_tandem";
