export default function Page() {
  return <p>next answers</p>;
}
