export default function Page() {
  return <p>docusaurus answers</p>;
}
